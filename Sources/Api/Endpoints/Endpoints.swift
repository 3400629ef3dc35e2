internal import HTTP
internal import JSON
internal import Jobs
internal import Pauses
internal import Postgres
internal import Values

/// The operations of the API, one file each. `Routes.swift` has their paths.
struct Endpoints: Sendable {
    let databases: LoopDatabases
    let readiness: Readiness
    let metricsPage: MetricsPage
    let rateLimitedLog: RateLimitedLog
    let acknowledgements: AcknowledgementWaiter
    let payloadBytesMax: Int

    /// The longest body of a single job, without its payload.
    static let bytesBesidePayload = 64 * 1_024

    func jobs(_ context: RequestContext) -> JobStore {
        databases[context.loop].jobs
    }

    /// The response to an error of PostgreSQL, whose cause is logged. The error itself if it is a bug: 500.
    func problem(
        _ error: PostgresError, unknownOutcome: String = "it may have been done", isRead: Bool = false
    ) -> any Error {
        let unknown = isRead ? nil : unknownOutcome
        guard let problem = DatabaseProblems.problem(error, unknownOutcome: unknown) else { return error }
        if problem.status == .serviceUnavailable { rateLimitedLog.note(error) }
        return problem
    }

    /// The id in the path. An id that is not a UUID returns 404.
    func jobID(_ request: Request) throws(Problem) -> UUID {
        let text = try request.parameter("id")
        guard let id = UUID(text) else { throw Self.unknownJob }
        return id
    }

    /// Throws 400 if the query has parameters: one without effect would mislead its sender.
    static func refuseQuery(of request: Request) throws(Problem) {
        guard request.head.query != nil else { return }
        try QueryReader.requireNone(in: try request.query())
    }

    static let unknownJob = Problem(.notFound, "there is no job with this id")

    /// A response with the job.
    static func answer(_ job: Job, status: Status = .ok) -> Response {
        var writer = JSONWriter(capacity: 1_024 + job.largeBytes)
        job.write(to: &writer)
        return .json(writer.finish(), status: status)
    }
}
