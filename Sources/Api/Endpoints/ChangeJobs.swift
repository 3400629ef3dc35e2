internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs/cancel`: cancels waiting and running jobs.
    func cancelJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await change(request, .cancel, context)
    }

    /// `POST /api/jobs/retry`: retries failed and cancelled jobs, optionally at a rate.
    func retryJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await change(request, .retry, context)
    }

    private func change(
        _ request: Request, _ verb: BulkChange.Verb, _ context: RequestContext
    ) async throws -> Response {
        try Self.refuseQuery(of: request)
        let bulk = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try BulkChange.read(&input, as: verb)
        }
        var report = BulkReport()
        do throws(PostgresError) {
            try await jobs(context).change(bulk, into: &report)
        } catch {
            throw interruption(error, after: report)
        }
        return .json(
            JSONWriter.text(capacity: 128 + 40 * report.ids.count) { report.write(to: &$0, isDryRun: bulk.isDryRun) })
    }

    /// The jobs that were changed before the error stay changed, so that "nothing was done" would be wrong.
    private func interruption(_ error: PostgresError, after report: BulkReport) -> any Error {
        guard report.changed > 0 else {
            return problem(error, unknownOutcome: "some of the jobs may have been changed")
        }
        rateLimitedLog.note(error)
        let words = "PostgreSQL failed after \(report.changed) jobs were changed; send the request again for the others"
        let problem = Problem.unavailable(words, retryAfterSeconds: 2).with("changed", .integer(report.changed))
        return error.isOutcomeUnknown ? problem.with("outcome", .string("unknown")) : problem
    }
}
