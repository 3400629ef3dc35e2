internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `GET /api/queues`: every queue that has settings or ever had a job, by name.
    func listQueues(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let report = try await QueueReport(reading: jobs(context))
        return .json(
            JSONWriter.text(capacity: 64 + 512 * report.names.count) { writer in
                writer.beginObject()
                writer.array("queues", report.names) { report.write($1, to: &$0) }
                writer.endObject()
            })
    }

    /// `PUT /api/queues/{name}`: replaces the settings of the queue. A missing member sets no limit.
    func configureQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try Self.acceptedName(request, of: "queue")
        let settings = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try QueueSettings.read(&input)
        }
        let store = jobs(context)
        try await store.configure(queue: name, settings)
        let report = try await QueueReport(reading: store)
        return .json(JSONWriter.text(capacity: 512) { report.write(name, to: &$0) })
    }

    /// The name in the path, of a queue or a pool that is to be configured.
    static func acceptedName(_ request: Request, of kind: String) throws(Problem) -> String {
        let name = try request.parameter("name")
        if TextRule.name.accepts(name) { return name }
        throw Problem(
            .badRequest, "the path does not name a \(kind)",
            errors: [.init(.parameter("name"), TextRule.name.requirement)])
    }
}

/// The depth, the age and the settings of every queue.
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
        writer.optional("oldest_ready_seconds", oldest[name]) { $0.double($1) }
        (settings[name] ?? QueueSettings()).writeMembers(to: &writer)
        writer.endObject()
    }
}
