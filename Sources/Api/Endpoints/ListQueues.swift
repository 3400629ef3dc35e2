internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `GET /api/queues`: every queue that has ever had a job or was told settings, by name.
    func listQueues(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let report = try await QueueReport(reading: jobs(context))
        var writer = JSONWriter(capacity: 64 + 512 * report.names.count)
        writer.beginObject()
        writer.key("queues")
        writer.beginArray()
        for name in report.names { report.write(name, to: &writer) }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish())
    }

    /// `PUT /api/queues/{name}`: what is not said has no limit from now on.
    func configureQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard JobLimits.isName(name) else {
            let accepted = "must be 1 to \(JobLimits.nameBytesMax) characters of A-Z a-z 0-9 . _ : / -"
            throw Problem(
                .badRequest, "the path does not name a queue", errors: [.init(.parameter("name"), accepted)])
        }
        let settings = try BodyReader.queueSettings(request)
        let store = jobs(context)
        try await store.configure(queue: name, settings)
        let report = try await QueueReport(reading: store)
        var writer = JSONWriter(capacity: 512)
        report.write(name, to: &writer)
        return .json(writer.finish())
    }
}

/// What queues hold, and what they have been told.
private struct QueueReport {
    private let depths: [String: [QueueDepth]]
    private let oldest: [String: Double]
    private let settings: [String: QueueSettings]

    init(reading store: JobStore) async throws(PostgresError) {
        depths = Dictionary(grouping: try await store.depths(), by: \.queue)
        oldest = Dictionary(try await store.oldestReady().map { ($0.queue, $0.seconds) }, uniquingKeysWith: max)
        settings = try await store.queueSettings()
    }

    var names: [String] { Set(depths.keys).union(settings.keys).sorted() }

    func write(_ name: String, to writer: inout JSONWriter) {
        let counts = depths[name] ?? []
        writer.beginObject()
        writer.member("name", name)
        writer.key("depth")
        writer.beginObject()
        for status in JobStatus.allCases {
            writer.member(status.rawValue, counts.first { $0.status == status }?.count ?? 0)
        }
        writer.endObject()
        writer.key("oldest_ready_seconds")
        if let seconds = oldest[name] { writer.double(seconds) } else { writer.null() }
        (settings[name] ?? QueueSettings()).writeMembers(to: &writer)
        writer.endObject()
    }
}
