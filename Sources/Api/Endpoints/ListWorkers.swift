internal import HTTP
internal import JSON
internal import Workers

extension Endpoints {
    /// `GET /api/workers`: the live workers, in the order in which they joined.
    func listWorkers(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let workers = try await databases[context.loop].workers.alive()
        return .json(
            JSONWriter.text(capacity: 32 + 384 * workers.count) { writer in
                writer.beginObject()
                writer.array("workers", workers) { $1.write(to: &$0) }
                writer.endObject()
            })
    }
}
