internal import HTTP
internal import JSON
internal import Jobs
internal import Workers

extension Endpoints {
    /// `GET /api/workers`: those that live, in the order in which they joined.
    func listWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let workers = try await databases[context.loop].workers.alive()
        var writer = JSONWriter(capacity: 32 + 384 * workers.count)
        writer.beginObject()
        writer.key("workers")
        writer.beginArray()
        for worker in workers { Self.write(worker, to: &writer) }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish())
    }

    private static func write(_ worker: LiveWorker, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("incarnation")
        writer.string(worker.description.incarnation)
        writer.member("name", worker.description.name)
        writer.member("host", worker.description.host)
        writer.member("version", worker.description.version)
        write(worker.description.queues, as: "queues", to: &writer)
        write(worker.description.types, as: "types", to: &writer)
        writer.member("concurrency", worker.description.concurrency)
        writer.member("running", worker.running)
        writer.member("control_version", worker.pauseVersion)
        writer.key("started_at")
        writer.string(worker.startedAt)
        writer.key("heartbeat_at")
        writer.string(worker.heartbeatAt)
        writer.endObject()
    }

    private static func write(_ texts: [String]?, as name: String, to writer: inout JSONWriter) {
        writer.key(name)
        guard let texts else { return writer.null() }
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }
}
