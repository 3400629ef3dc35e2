internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// `GET /api/jobs/{id}/events`: the state changes of the job, in order.
    func listEvents(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try EventsQuery(try request.query())
        let id = try jobID(request)
        let store = jobs(context)
        let page = try await store.events(of: id, after: query.offset, limit: query.limit)
        if page.events.isEmpty, try await store.find(id) == nil { throw Self.unknownJob }

        var writer = JSONWriter(capacity: 64 + 256 * page.events.count)
        writer.beginObject()
        writer.array("events", page.events) { $1.write(to: &$0) }
        writer.optional("next_cursor", page.hasMore ? query.cursor(after: page.events.count) : nil) { $0.string($1) }
        writer.endObject()
        return .json(writer.finish())
    }

    /// `GET /api/jobs/{id}/why`: all reasons for which the job does not run.
    func explainWait(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let id = try jobID(request)
        guard let answer = try await jobs(context).why(id) else { throw Self.unknownJob }
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.key("id")
        writer.string(id)
        writer.member("status", answer.status.rawValue)
        writer.array("reasons", answer.reasons) { $1.write(to: &$0) }
        writer.endObject()
        return .json(writer.finish())
    }
}
