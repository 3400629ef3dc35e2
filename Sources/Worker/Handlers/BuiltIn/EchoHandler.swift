internal import Jobs

/// `echo`: succeeds at once, and the payload is the result. It never suspends, so it also measures what running a job
/// costs when the job itself costs nothing.
struct EchoHandler: Handler {
    func run(_ job: LeasedJob, stop: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        guard job.payload.count <= JobLimits.resultBytesMax else {
            let sizes = "\(job.payload.count) bytes; at most \(JobLimits.resultBytesMax) can be a result"
            return .failed(error: "the payload has \(sizes)")
        }
        return .succeeded(result: job.payload)
    }
}
