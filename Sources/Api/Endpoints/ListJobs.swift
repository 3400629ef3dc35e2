internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// `GET /api/jobs`: the newest first.
    func listJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try ListQuery(try request.query())
        let page = try await jobs(context).list(
            query.filter, before: query.cursor?.last, limit: query.limit, with: query.members)
        // The large members are written as they are; the others take up to about this many bytes.
        let bytes = page.jobs.reduce(256) { $0 + 1_024 + $1.largeBytes }
        return .json(
            JSONWriter.text(capacity: bytes) { writer in
                writer.beginObject()
                writer.array("jobs", page.jobs) { $1.write(to: &$0, with: query.members) }
                let next = page.hasMore ? page.jobs.last.map { JobCursor(after: $0.id) } : nil
                writer.optional("next_cursor", next) { $0.string($1.text) }
                writer.endObject()
            })
    }
}

extension Job {
    /// The length of its large members.
    var largeBytes: Int {
        payload.count + (result?.count ?? 0) + (teardown?.count ?? 0) + (lastError?.count ?? 0)
    }
}
