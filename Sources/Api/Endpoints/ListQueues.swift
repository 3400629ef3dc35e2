internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres
internal import Telemetry

extension Endpoints {
    /// `GET /api/queues`: queues that have settings or ever had a job or a pause, by name.
    func listQueues(_ request: Request, _ context: RequestContext) async throws -> Response {
        let query = try QueueListQuery(try request.query())
        // One more than the page holds shows whether another page follows.
        let queues = try await queues(context).list(
            after: query.cursor?.last ?? "", prefix: query.prefix, limit: query.limit + 1)
        let page = queues.prefix(query.limit)
        return .json(
            JSONWriter.text(capacity: 64 + 512 * page.count) { writer in
                writer.beginObject()
                writer.array("queues", page) { $1.write(to: &$0) }
                writer.optional("next_cursor", queues.count > page.count ? page.last?.name : nil) { writer, name in
                    writer.string(QueueCursor(after: name).text)
                }
                writer.endObject()
            })
    }

    /// `GET /api/queues/{name}`.
    func showQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard TextRule.name.accepts(name), let queue = try await queues(context).find(name) else {
            throw Self.unknownQueue
        }
        return .json(JSONWriter.text(capacity: 512) { queue.write(to: &$0) })
    }

    /// `PUT /api/queues/{name}`: replaces the settings of the queue. A missing member sets no limit.
    func configureQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try Self.acceptedName(request, of: "queue")
        let settings = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try QueueSettings.read(&input)
        }
        try await jobs(context).configure(queue: name, settings)
        guard let queue = try await queues(context).find(name) else { throw Self.unknownQueue }
        return .json(JSONWriter.text(capacity: 512) { queue.write(to: &$0) })
    }

    /// `DELETE /api/queues/{name}`: removes a queue without jobs, with its settings.
    func removeQueue(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let name = try request.parameter("name")
        guard TextRule.name.accepts(name) else { throw Self.unknownQueue }
        switch try await jobs(context).remove(queue: name) {
        case .removed:
            context.logger.info("a queue was removed", ["queue": .string(name)])
            return Response(.noContent)
        case .unknown: throw Self.unknownQueue
        case .hasJobs(let counts): throw Self.occupiedQueue(counts)
        case .isPaused: throw Problem(.conflict, "the queue is paused; resume it first")
        case .isBusy: throw DatabaseProblems.locked("the queue, or may create jobs in it")
        }
    }

    private static func occupiedQueue(_ counts: [JobStatus: Int64]) -> Problem {
        let present = JobStatus.allCases.filter { counts[$0] != nil }
        let list = present.map { "\(counts[$0] ?? 0) \($0.rawValue)" }.joined(separator: ", ")
        return Problem(.conflict, "the queue has jobs: \(list)")
            .with("jobs", .integer(Int(counts.values.reduce(0, +))))
    }

    private func queues(_ context: RequestContext) -> QueueReports {
        databases[context.loop].queues
    }

    static let unknownQueue = Problem(.notFound, "there is no queue with this name")

    /// The name in the path, of a queue or a pool that is to be configured.
    static func acceptedName(_ request: Request, of kind: String) throws(Problem) -> String {
        let name = try request.parameter("name")
        if TextRule.name.accepts(name) { return name }
        throw Problem(
            .badRequest, "the path does not name a \(kind)",
            errors: [.init(.parameter("name"), TextRule.name.requirement)])
    }
}

extension QueueSummary {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.key("depth")
        writer.beginObject()
        for status in JobStatus.allCases { writer.member(status.rawValue, depths[status] ?? 0) }
        writer.endObject()
        writer.optional("oldest_ready_seconds", oldestReadySeconds) { $0.double($1) }
        settings.writeMembers(to: &writer)
        writer.endObject()
    }
}
