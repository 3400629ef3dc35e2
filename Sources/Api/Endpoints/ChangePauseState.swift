internal import EventLoop
internal import HTTP
internal import JSON
internal import Jobs
internal import Pauses
internal import Postgres
internal import Telemetry

extension Endpoints {
    /// `POST /api/worker/pause`.
    func pauseWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, .pause, scope: nil)
    }

    /// `POST /api/worker/resume`.
    func resumeWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, .resume, scope: nil)
    }

    /// `POST /api/queues/{name}/pause`.
    func pauseQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, .pause, scope: .queue(try Self.queueName(request)))
    }

    /// `POST /api/queues/{name}/resume`.
    func resumeQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, .resume, scope: .queue(try Self.queueName(request)))
    }

    private static func queueName(_ request: Request) throws(Problem) -> String {
        let name = try request.parameter("name")
        guard TextRule.name.accepts(name) else {
            throw Problem(.notFound, "no queue has this name: a name \(TextRule.name.requirement)")
        }
        return name
    }

    /// 200 after the commit of the change; with `wait_seconds`, 200 after the acknowledgements of all live workers, or
    /// 202 when the time is over. 409 if the scope does not have the expected version, 422 if
    /// `resume_at` has passed.
    private func changePauseState(
        _ request: Request, _ context: RequestContext, _ action: PauseChange.Action, scope: PauseScope?
    ) async throws -> Response {
        try Self.refuseQuery(of: request)
        var change = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try PauseChange.read(&input, action, scope: scope)
        }
        change.clientAddress = context.remoteAddress.host
        change.requestID = "\(context.id)"

        let operation = databases[context.loop].pauseOperation(acknowledgements)
        do {
            let result = try await operation.run(change) { [change] state in
                context.logger.info(
                    action == .pause ? "paused" : "resumed",
                    [
                        "scope": .string(state.scope.text), "control_version": .integer(state.version),
                        "reason": .string(change.reason), "updated_by": .string(change.updatedBy),
                    ])
            }
            switch result {
            case .outdated(let state): throw Self.conflict(state)
            case .overdue: throw Self.overdue
            case .done(let report):
                return .json(
                    JSONWriter.text { report.write(to: &$0) }, status: report.isComplete ? .ok : .accepted)
            }
        } catch let interrupted as PauseOperation.Interrupted {
            throw problem(interrupted, action)
        }
    }

    private static let overdue = Problem.invalid(
        "body", .unprocessableContent, [.init(.pointer("/resume_at"), "must lie ahead, by PostgreSQL's clock")],
        count: 1)

    private static func conflict(_ state: PauseState) -> Problem {
        Problem(
            .conflict, "the scope \(state.scope.text) has version \(state.version), which is not the expected one"
        ).with("state", .json(JSONWriter.text { state.write(to: &$0) }))
    }

    /// The change holds, so that "nothing was done" would be wrong.
    private func problem(_ interrupted: PauseOperation.Interrupted, _ action: PauseChange.Action) -> Problem {
        rateLimitedLog.note(interrupted.cause)
        let state = interrupted.state
        return Problem.unavailable(
            "the scope \(state.scope.text) was \(action == .pause ? "paused" : "resumed") as version \(state.version), "
                + "but PostgreSQL failed before the rest was done; read control-state",
            retryAfterSeconds: 2
        ).with("state", .json(JSONWriter.text { state.write(to: &$0) }))
    }
}
