internal import Jobs

/// `echo`: succeeds at once with the payload as its result. It never suspends, so it also measures the overhead of
/// running a job.
struct EchoHandler: Handler {
    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        guard job.payload.count <= JobLimits.resultBytesMax else {
            let sizes = "\(job.payload.count) bytes; the maximum of a result is \(JobLimits.resultBytesMax)"
            return .failed(error: "the payload has \(sizes)")
        }
        return .succeeded(result: job.payload)
    }
}
