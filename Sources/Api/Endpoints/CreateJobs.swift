internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs/batch`: all of the jobs, or none.
    func createJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let newJobs = try BodyReader.jobs(request, payloadBytesMax: payloadBytesMax)
        let ids: [UUID]
        do throws(PostgresError) {
            ids = try await jobs(context).insertAll(newJobs).ids
        } catch {
            throw Self.creationProblem(error, "all of the jobs may have been created, or none")
        }
        var writer = JSONWriter(capacity: 32 + 48 * ids.count)
        writer.beginObject()
        writer.key("jobs")
        writer.beginArray()
        for id in ids {
            writer.beginObject()
            writer.key("id")
            writer.string(id)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish(), status: .created)
    }
}
