internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs/batch`: all of the jobs, or none.
    func createJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let newJobs = try BodyReader.jobs(request, payloadBytesMax: payloadBytesMax)
        let idempotency = try IdempotencyKey.read(request, operation: "createJobs")
        let inserted: InsertedJobs?
        do throws(PostgresError) {
            inserted = try await jobs(context).insertAll(newJobs, as: idempotency)
        } catch {
            throw problem(error, unknownOutcome: "all of the jobs may have been created, or none")
        }
        guard let inserted else { throw IdempotencyKey.conflict }
        var writer = JSONWriter(capacity: 32 + 72 * inserted.ids.count)
        writer.beginObject()
        writer.key("jobs")
        writer.beginArray()
        for (id, isExisting) in zip(inserted.ids, inserted.existing) {
            writer.beginObject()
            writer.key("id")
            writer.string(id)
            writer.member("existing", isExisting)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish(), status: .created)
    }
}
