internal import Control
internal import Fleet
internal import HTTP

extension Endpoints {
    /// `GET /api/worker/control-state`.
    func showControlState(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let database = databases[context.loop]
        return .json(
            ControlDocument.states(try await database.control.states(), try await database.workers.alive()))
    }

    /// `GET /api/worker/control-history`: the latest change first.
    func showControlHistory(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try ControlHistoryQuery(request.query())
        // One more than asked for tells whether there are more.
        var entries = try await databases[context.loop].control.history(
            before: query.before, of: query.scope, limit: Int32(query.limit + 1))
        let hasMore = entries.count > query.limit
        if hasMore { entries.removeLast() }
        return .json(ControlDocument.history(entries, next: hasMore ? entries.last?.version : nil))
    }
}
