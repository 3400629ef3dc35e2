internal import HTTP
internal import Jobs
internal import Postgres
internal import Values

extension Endpoints {
    /// `POST /api/jobs/{id}/cancel`: of a job that waits or runs. One that is cancelled, or ending, already is as the
    /// client wants it: who asks again because the first answer was lost is not told of a conflict.
    func cancelJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let actor = try BodyReader.actor(request)
        switch try await jobs(context).cancel(try jobID(request), by: actor) {
        case .done(let job): return Self.answer(job)
        case .refused(let job) where job.status == .cancelled || job.status == .ending: return Self.answer(job)
        case .refused(let job):
            throw Self.conflict(job, "only a job that is queued, scheduled or running can be cancelled")
        case .unknown: throw Self.unknownJob
        }
    }

    /// `POST /api/jobs/{id}/retry`: of a job that has failed or was cancelled.
    func retryJob(_ request: Request, _ context: RequestContext) async throws -> Response {
        try Self.refuseQuery(of: request)
        let actor = try BodyReader.actor(request)
        switch try await jobs(context).retry(try jobID(request), by: actor) {
        case .done(let job): return Self.answer(job)
        case .refused(let job):
            if job.status == .failed || job.status == .cancelled,
                let conflictingJob = try await jobs(context).conflictingJob(of: job.id)
            {
                throw Self.rivalry(job, conflictingJob)
            }
            throw Self.conflict(job, "only a job that is failed or cancelled can be retried")
        case .unknown: throw Self.unknownJob
        }
    }

    private static func rivalry(_ job: Job, _ conflictingJob: UUID) -> Problem {
        var id: [UInt8] = []
        conflictingJob.appendASCII(to: &id)
        let other = String(decoding: id, as: UTF8.self)
        return Problem(.conflict, "the unique_key of the job belongs to the job \(other) now")
            .with("job_status", .string(job.status.rawValue)).with("existing_job", .string(other))
    }

    private static func conflict(_ job: Job, _ rule: String) -> Problem {
        Problem(.conflict, "the job is \(job.status.rawValue); \(rule)")
            .with("job_status", .string(job.status.rawValue))
    }
}
