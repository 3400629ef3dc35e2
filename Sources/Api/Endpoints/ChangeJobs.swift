internal import HTTP
internal import JSON
internal import Jobs
internal import Postgres

extension Endpoints {
    /// `POST /api/jobs/cancel`: of jobs that wait or run.
    func cancelJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await change(request, .cancel, context)
    }

    /// `POST /api/jobs/retry`: of jobs that have failed or were cancelled; at a rate, if one is given.
    func retryJobs(_ request: Request, _ context: RequestContext) async throws -> Response {
        try await change(request, .retry, context)
    }

    private func change(
        _ request: Request, _ verb: BulkChange.Verb, _ context: RequestContext
    ) async throws -> Response {
        try Self.refuseQuery(of: request)
        let bulk = try BodyReader.bulkChange(request, verb)
        var report = BulkReport()
        do throws(PostgresError) {
            try await jobs(context).change(bulk, into: &report)
        } catch {
            throw interruption(error, after: report)
        }
        return Self.answer(report, isDryRun: bulk.isDryRun)
    }

    /// What was changed before stays changed, so that none of the usual problems is true.
    private func interruption(_ error: PostgresError, after report: BulkReport) -> any Error {
        guard report.changed > 0 else {
            return problem(error, unknownOutcome: "some of the jobs may have been changed")
        }
        rateLimitedLog.note(error)
        let words = "PostgreSQL has failed after \(report.changed) jobs were changed; ask again for the others"
        let problem = Problem.unavailable(words, retryAfterSeconds: 2).with("changed", .integer(report.changed))
        return error.isOutcomeUnknown ? problem.with("outcome", .string("unknown")) : problem
    }

    private static func answer(_ report: BulkReport, isDryRun: Bool) -> Response {
        var writer = JSONWriter(capacity: 128 + 40 * report.ids.count)
        writer.beginObject()
        writer.member("matched", report.matched.count)
        writer.member("changed", report.changed)
        writer.member("dry_run", isDryRun)
        writer.member("more", report.isMore)
        writer.key("ids")
        writer.beginArray()
        for id in report.ids { writer.string(id) }
        writer.endArray()
        writer.endObject()
        return .json(writer.finish())
    }
}
