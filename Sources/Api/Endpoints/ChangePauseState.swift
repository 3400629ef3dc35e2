internal import EventLoop
internal import HTTP
internal import Jobs
internal import Pauses
internal import Telemetry

extension Endpoints {
    /// `POST /api/worker/pause`.
    func pauseWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, isPause: true, scope: nil)
    }

    /// `POST /api/worker/resume`.
    func resumeWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, isPause: false, scope: nil)
    }

    /// `POST /api/queues/{name}/pause`.
    func pauseQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, isPause: true, scope: .queue(try Self.queueName(request)))
    }

    /// `POST /api/queues/{name}/resume`.
    func resumeQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changePauseState(request, context, isPause: false, scope: .queue(try Self.queueName(request)))
    }

    private static func queueName(_ request: Request) throws(Problem) -> String {
        let name = try request.parameter("name")
        guard JobLimits.isName(name) else {
            throw Problem(
                .notFound,
                "no queue can have this name: it is 1 to \(JobLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -")
        }
        return name
    }

    /// 200 when the change is committed, from when on nothing of a paused scope is leased; with `wait_seconds`, when every
    /// live worker has said that it has obeyed, or 202 when some have not in that time. 409 if the scope has another
    /// version than the one expected.
    private func changePauseState(
        _ request: Request, _ context: RequestContext, isPause: Bool, scope: PauseScope?
    ) async throws -> Response {
        try Self.refuseQuery(of: request)
        let input = try BodyReader.control(request, isPause: isPause, takesScope: scope == nil)
        var order = PauseOrder(input, isPause: isPause, scope: scope)
        order.change.clientAddress = context.remoteAddress.host
        order.change.requestID = "\(context.id)"

        let answer = try await order.carryOut(on: databases[context.loop]) { state in
            context.logger.info(
                isPause ? "paused" : "resumed",
                [
                    "scope": .string(state.scope.text), "control_version": .integer(state.version),
                    "reason": .string(input.reason), "updated_by": .string(input.updatedBy),
                ])
        }
        switch answer {
        case .outdated(let state):
            throw Problem(
                .conflict, "the scope \(state.scope.text) has version \(state.version), and not the one expected"
            ).with("state", .json(PauseDocument.state(state)))
        case .carriedOut(let effect):
            return .json(effect.document, status: effect.isAcknowledged || order.patience == .zero ? .ok : .accepted)
        }
    }
}
