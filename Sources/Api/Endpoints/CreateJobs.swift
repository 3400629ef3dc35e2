internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs/batch`: creates all of the jobs, or none.
    func createJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let newJobs = try BodyReader.jobs(request, payloadBytesMax: payloadBytesMax)
        let idempotency = try IdempotencyKey.read(request, operation: "createJobs")
        let inserted: InsertedJobs?
        do throws(PostgresError) {
            inserted = try await jobs(context).insertAll(newJobs, as: idempotency)
        } catch {
            throw creationProblem(
                error, isUnique: newJobs.contains { $0.uniqueKey != nil }, isIdempotent: idempotency != nil,
                unknownOutcome: "all of the jobs may have been created, or none")
        }
        guard let inserted else { throw IdempotencyKey.conflict }
        return .json(
            JSONWriter.text(capacity: 32 + 72 * inserted.ids.count) { inserted.write(to: &$0) }, status: .created)
    }
}
