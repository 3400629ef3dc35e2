internal import Control
internal import EventLoop
internal import Fleet
internal import HTTP
internal import JSON
internal import Jobs
internal import Telemetry

extension Endpoints {
    /// Between two looks at which workers have obeyed.
    private static let acknowledgementInterval = Duration.milliseconds(50)

    /// `POST /api/worker/pause`.
    func pauseWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changeControl(request, context, isPause: true, scope: nil)
    }

    /// `POST /api/worker/resume`.
    func resumeWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changeControl(request, context, isPause: false, scope: nil)
    }

    /// `POST /api/queues/{name}/pause`.
    func pauseQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changeControl(request, context, isPause: true, scope: .queue(try Self.queueName(request)))
    }

    /// `POST /api/queues/{name}/resume`.
    func resumeQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await changeControl(request, context, isPause: false, scope: .queue(try Self.queueName(request)))
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
    private func changeControl(
        _ request: Request, _ context: RequestContext, isPause: Bool, scope: ControlScope?
    ) async throws -> Response {
        try Self.refuseQuery(of: request)
        let input = try BodyReader.control(request, isPause: isPause, takesScope: scope == nil)
        var change = ControlChange(
            scope: scope ?? input.scope ?? .all, isPause: isPause, reason: input.reason, updatedBy: input.updatedBy)
        change.expectedVersion = input.expectedVersion
        change.resumeAt = input.resumeAt
        change.cancelsRunning = input.cancelsRunning
        change.clientAddress = context.remoteAddress.host
        change.requestID = "\(context.id)"

        let database = databases[context.loop]
        switch try await database.control.change(change) {
        case .outdated(let state):
            throw Problem(
                .conflict, "the scope \(state.scope.text) has version \(state.version), and not the one expected"
            ).with("state", .json(ControlDocument.state(state)))
        case .changed(let state):
            context.logger.info(
                isPause ? "paused" : "resumed",
                [
                    "scope": .string(state.scope.text), "control_version": .integer(state.version),
                    "reason": .string(input.reason), "updated_by": .string(input.updatedBy),
                ])
            var cancelled: Int?
            if input.cancelsRunning {
                cancelled = try await database.jobs.stopRunning(
                    in: state.scope.filter, by: Actor(name: input.updatedBy, reason: input.reason))
            }
            return try await answer(state, waiting: .seconds(input.waitSeconds), cancelled, on: database)
        }
    }

    private func answer(
        _ state: ControlState, waiting patience: Duration, _ cancelled: Int?, on database: LoopDatabase
    ) async throws -> Response {
        let deadline = MonotonicInstant.now() + patience
        var workers = try await database.workers.alive()
        while workers.contains(where: { $0.controlVersion < state.version }), MonotonicInstant.now() < deadline {
            try await database.loop.sleep(for: Self.acknowledgementInterval)
            workers = try await database.workers.alive()
        }
        let isObeyed = workers.allSatisfy { $0.controlVersion >= state.version }
        return .json(
            ControlDocument.change(state, workers, cancelled: cancelled),
            status: isObeyed || patience == .zero ? .ok : .accepted)
    }
}

extension ControlScope {
    /// The jobs of the scope.
    fileprivate var filter: JobFilter {
        var filter = JobFilter()
        switch self {
        case .all: break
        case .queue(let name): filter.queue = name
        case .type(let name): filter.type = name
        }
        return filter
    }
}
