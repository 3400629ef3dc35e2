internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// Jobs that are read from PostgreSQL at once.
    private static let readAtOnce = 64
    /// A page that has grown beyond this is ended, whatever its limit: five hundred payloads of 1 MiB would fit no
    /// memory. `next_cursor` then leads on as ever.
    private static let pageBytesMax = 4 * 1_048_576

    /// `GET /api/jobs`: the newest first.
    func listJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try ListQuery(try request.query())
        var page = JobPage(limit: query.limit)
        var cursor = query.cursor?.last
        while true {
            // One more than will be shown tells whether another page follows.
            let wanted = min(query.limit - page.count + 1, Self.readAtOnce)
            let jobs = try await jobs(context).list(query.filter, before: cursor, limit: wanted)
            for job in jobs where !page.isComplete { page.append(job, bytesMax: Self.pageBytesMax) }
            if page.isComplete || jobs.count < wanted { return page.response() }
            cursor = jobs.last?.id
        }
    }
}

/// The answer to a list, while it grows.
private struct JobPage {
    private let limit: Int
    private(set) var count = 0
    private var writer = JSONWriter(capacity: 16 * 1_024)
    private var last: JobCursor?
    /// A further job was there: another page follows.
    private(set) var isComplete = false

    init(limit: Int) {
        self.limit = limit
        writer.beginObject()
        writer.key("jobs")
        writer.beginArray()
    }

    /// Takes the job, or learns that there is one more than the page takes.
    mutating func append(_ job: Job, bytesMax: Int) {
        guard count < limit, writer.bytes.count < bytesMax else {
            isComplete = true
            return
        }
        job.write(to: &writer)
        last = JobCursor(after: job.id)
        count += 1
    }

    consuming func response() -> Response {
        writer.endArray()
        writer.key("next_cursor")
        if isComplete, let last { writer.string(last.text) } else { writer.null() }
        writer.endObject()
        return .json(writer.finish())
    }
}
