internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// `GET /api/jobs/{id}/events`: what has become of the job, in order.
    func listEvents(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try EventsQuery(try request.query())
        let id = try jobID(request)
        let store = jobs(context)
        // One more than will be shown tells whether another page follows.
        let events = try await store.events(of: id, after: query.offset, limit: query.limit + 1)
        if events.isEmpty, try await store.find(id) == nil { throw Self.unknownJob }

        var writer = JSONWriter(capacity: 64 + 256 * events.count)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        for event in events.prefix(query.limit) { event.write(to: &writer) }
        writer.endArray()
        writer.key("next_cursor")
        if events.count > query.limit { writer.string(query.nextCursor) } else { writer.null() }
        writer.endObject()
        return .json(writer.finish())
    }

    /// `GET /api/jobs/{id}/why`: everything that holds the job back.
    func explainWait(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let id = try jobID(request)
        guard let answer = try await jobs(context).why(id) else { throw Self.unknownJob }
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.key("id")
        writer.string(id)
        writer.member("status", answer.status.rawValue)
        writer.key("reasons")
        writer.beginArray()
        for reason in answer.reasons { reason.write(to: &writer) }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish())
    }
}
