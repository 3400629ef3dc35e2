internal import HTTP
internal import Jobs
internal import Postgres
internal import Values

extension Endpoints {
    /// `POST /api/jobs/{id}/cancel`: cancels a waiting or running job. A job that is cancelled or ending already is as
    /// the client wants it: a request that is repeated because its response was lost is no conflict.
    func cancelJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let actor = try BodyReader.actor(request)
        switch try await jobs(context).cancel(try jobID(request), by: actor) {
        case .done(let job): return Self.answer(job)
        case .refused(let job) where job.status == .cancelled || job.status == .ending: return Self.answer(job)
        case .refused(let job):
            throw Self.conflict(job, "only queued, scheduled and running jobs can be cancelled")
        case .unknown: throw Self.unknownJob
        }
    }

    /// `POST /api/jobs/{id}/run-now`: lets a scheduled job run at once. A job that is queued or running already is as
    /// the client wants it.
    func runJobNow(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let actor = try BodyReader.actor(request)
        switch try await jobs(context).runNow(try jobID(request), by: actor) {
        case .done(let job): return Self.answer(job)
        case .refused(let job) where job.status == .queued || job.status == .running: return Self.answer(job)
        case .refused(let job): throw Self.conflict(job, "only scheduled jobs can be made to run now")
        case .unknown: throw Self.unknownJob
        }
    }

    /// `POST /api/jobs/{id}/retry`: retries a failed or cancelled job, and lets a scheduled one run at once.
    func retryJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let actor = try BodyReader.actor(request)
        switch try await jobs(context).retry(try jobID(request), by: actor) {
        case .done(let job): return Self.answer(job)
        case .refused(let job):
            if job.status == .failed || job.status == .cancelled,
                let conflictingJob = try await jobs(context).conflictingJob(of: job.id)
            {
                throw Self.keyConflict(job, conflictingJob)
            }
            throw Self.conflict(job, "only failed, cancelled and scheduled jobs can be retried")
        case .unknown: throw Self.unknownJob
        }
    }

    private static func keyConflict(_ job: Job, _ conflictingJob: UUID) -> Problem {
        var id: [UInt8] = []
        conflictingJob.appendASCII(to: &id)
        let other = String(decoding: id, as: UTF8.self)
        return Problem(.conflict, "the unique_key of this job is held by job \(other)")
            .with("job_status", .string(job.status.rawValue)).with("existing_job", .string(other))
    }

    private static func conflict(_ job: Job, _ rule: String) -> Problem {
        Problem(.conflict, "the job is \(job.status.rawValue); \(rule)")
            .with("job_status", .string(job.status.rawValue))
    }
}
