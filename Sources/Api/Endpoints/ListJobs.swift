internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// Jobs of one statement.
    private static let readAtOnce = 64
    /// A longer page ends before its limit, since five hundred payloads of 1 MiB are too much memory. `next_cursor`
    /// leads to the rest.
    private static let pageBytesMax = 4 * 1_048_576

    /// `GET /api/jobs`: the newest first.
    func listJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try ListQuery(try request.query())
        var page = JobPage(limit: query.limit)
        var cursor = query.cursor?.last
        while true {
            // One more than the page holds shows whether another page follows.
            let wanted = min(query.limit - page.count + 1, Self.readAtOnce)
            let jobs = try await jobs(context).list(query.filter, before: cursor, limit: wanted)
            for job in jobs where !page.isComplete { page.append(job, bytesMax: Self.pageBytesMax) }
            if page.isComplete || jobs.count < wanted { return page.response() }
            cursor = jobs.last?.id
        }
    }
}

/// The response to a list, while it grows.
private struct JobPage {
    private let limit: Int
    private(set) var count = 0
    private var writer = JSONWriter(capacity: 16 * 1_024)
    private var last: JobCursor?
    /// Whether another page follows.
    private(set) var isComplete = false

    init(limit: Int) {
        self.limit = limit
        writer.beginObject()
        writer.key("jobs")
        writer.beginArray()
    }

    /// Adds the job, or completes the page if it is full.
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
        writer.optional("next_cursor", isComplete ? last : nil) { $0.string($1.text) }
        writer.endObject()
        return .json(writer.finish())
    }
}
