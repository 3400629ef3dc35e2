internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres
internal import Values

/// The operations of the API, one file each; `Routes.swift` says which path leads to which.
struct Endpoints: Sendable {
    let databases: LoopDatabases
    let readiness: Readiness
    let metricsPage: MetricsPage
    let rateLimitedLog: RateLimitedLog
    let payloadBytesMax: Int

    /// What a single job may say besides its payload.
    static let bytesBesidePayload = 64 * 1_024

    func jobs(_ context: RequestContext) -> JobStore {
        databases[context.loop].jobs
    }

    /// What a client hears of an error of PostgreSQL; the log hears more. The error itself where it is our own fault.
    func problem(_ error: PostgresError, unknownOutcome: String = "it may have been done") -> any Error {
        guard let problem = DatabaseProblems.problem(error, unknownOutcome: unknownOutcome) else { return error }
        if problem.status == .serviceUnavailable { rateLimitedLog.note(error) }
        return problem
    }

    /// The job that the path names. What is no UUID is the id of no job.
    func jobID(_ request: Request) throws(Problem) -> UUID {
        let text = try request.parameter("id")
        guard let id = UUID(text) else { throw Self.unknownJob }
        return id
    }

    /// What a client means by a parameter that does nothing, it should hear. Throws 400 that names them.
    static func refuseQuery(of request: Request) throws(Problem) {
        guard request.head.query != nil else { return }
        let given = try request.query().items
        guard !given.isEmpty else { return }
        throw Problem(
            .badRequest, "this operation takes no parameters in the query",
            errors: given.map { .init(.parameter($0.name), "is unknown") })
    }

    static let unknownJob = Problem(.notFound, "there is no job with this id")

    /// The job as the body of an answer.
    static func answer(_ job: Job, status: Status = .ok) -> Response {
        var writer = JSONWriter(capacity: 640 + job.payload.count + (job.result?.count ?? 0))
        job.write(to: &writer)
        return .json(writer.finish(), status: status)
    }
}
