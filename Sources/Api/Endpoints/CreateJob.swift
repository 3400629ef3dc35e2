internal import HTTP
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs`. The answer is sent when the job is committed: requests of this loop that come at the same time
    /// share a transaction (`JobStore.insert`).
    func createJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let job = try BodyReader.job(request, payloadBytesMax: payloadBytesMax)
        let created: Job
        do throws(PostgresError) {
            created = try await jobs(context).insert(job)
        } catch {
            throw Self.creationProblem(error, "the job may have been created")
        }
        var response = Self.answer(created, status: .created)
        try response.add(.location, Self.path(of: created.id))
        return response
    }

    private static func path(of id: UUID) -> String {
        var path = Array("/api/jobs/".utf8)
        id.appendASCII(to: &path)
        return String(decoding: path, as: UTF8.self)
    }

    static func creationProblem(_ error: PostgresError, _ unknownOutcome: String) -> any Error {
        DatabaseProblems.problem(error, unknownOutcome: unknownOutcome) ?? error
    }
}
