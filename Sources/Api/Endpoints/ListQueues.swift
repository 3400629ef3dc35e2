internal import HTTP
internal import JSON
internal import Jobs

extension Endpoints {
    /// `GET /api/queues`: every queue that has ever had a job, by name.
    func listQueues(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let store = jobs(context)
        let depths = Dictionary(grouping: try await store.depths(), by: \.queue)
        let oldest = Dictionary(try await store.oldestReady().map { ($0.queue, $0.seconds) }, uniquingKeysWith: max)

        var writer = JSONWriter(capacity: 64 + 256 * depths.count)
        writer.beginObject()
        writer.key("queues")
        writer.beginArray()
        for (name, counts) in depths.sorted(by: { $0.key < $1.key }) {
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
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish())
    }
}
