internal import HTTP
internal import Pauses
internal import Workers

extension Endpoints {
    /// `GET /api/worker/control-state`.
    func showControlState(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let database = databases[context.loop]
        return .json(
            PauseDocument.states(try await database.control.states(), try await database.workers.alive()))
    }

    /// `GET /api/worker/control-history`: the latest change first.
    func showControlHistory(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try PauseHistoryQuery(request.query())
        // One more than the page holds shows whether another page follows.
        var entries = try await databases[context.loop].control.history(
            before: query.before, of: query.scope, limit: Int32(query.limit + 1))
        let hasMore = entries.count > query.limit
        if hasMore { entries.removeLast() }
        return .json(PauseDocument.history(entries, next: hasMore ? entries.last?.version : nil))
    }
}
