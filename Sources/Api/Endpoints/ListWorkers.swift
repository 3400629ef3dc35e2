internal import Fleet
internal import HTTP
internal import JSON
internal import Jobs

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
        writer.key("queues")
        if let queues = worker.description.queues {
            writer.beginArray()
            for queue in queues { writer.string(queue) }
            writer.endArray()
        } else {
            writer.null()
        }
        writer.member("concurrency", worker.description.concurrency)
        writer.member("running", worker.running)
        writer.key("started_at")
        writer.string(worker.startedAt)
        writer.key("heartbeat_at")
        writer.string(worker.heartbeatAt)
        writer.endObject()
    }
}
