internal import HTTP
internal import Jobs
internal import Postgres
internal import Values

extension Endpoints {
    /// `POST /api/jobs`. The response is sent after the commit. Requests that arrive at the same time share a
    /// transaction (`JobStore.insert`).
    func createJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let job = try BodyReader.job(request, payloadBytesMax: payloadBytesMax)
        let idempotency = try IdempotencyKey.read(request, operation: "createJob")
        let answer: InsertAnswer
        do throws(PostgresError) {
            answer = try await jobs(context).insert(job, as: idempotency)
        } catch {
            throw creationProblem(
                error, isUnique: job.uniqueKey != nil, isIdempotent: idempotency != nil,
                unknownOutcome: "the job may have been created")
        }
        switch answer {
        case .created(let job):
            var response = Self.answer(job, status: .created)
            try response.add(.location, Self.path(of: job.id))
            return response
        case .existing(let job): return Self.answer(job)
        case .removed: throw Self.removedJob
        case .otherRequest: throw IdempotencyKey.conflict
        }
    }

    /// The problem of an insertion. One that waits for a lock waits for one of its keys.
    func creationProblem(
        _ error: PostgresError, isUnique: Bool, isIdempotent: Bool, unknownOutcome: String
    ) -> any Error {
        guard error.sqlState == .lockNotAvailable, isUnique || isIdempotent else {
            return problem(error, unknownOutcome: unknownOutcome)
        }
        rateLimitedLog.note(error)
        let names = (isUnique ? ["`unique_key`"] : []) + (isIdempotent ? ["`Idempotency-Key`"] : [])
        return DatabaseProblems.locked("the " + names.joined(separator: " or the ") + " of this request")
    }

    private static let removedJob = Problem(
        .conflict, "a job with this unique_key was found, and has been removed since")

    private static func path(of id: UUID) -> String {
        var path = Array("/api/jobs/".utf8)
        id.appendASCII(to: &path)
        return String(decoding: path, as: UTF8.self)
    }
}
