internal import Jobs

/// Where a handler says how far it is, as often as it likes; call it on the worker's loop.
typealias ProgressSink = @Sendable (ProgressReport) -> Void

/// Runs the attempts of one kind of job.
///
/// A handler says how work is done, and how it ended. When it may run, for how long, and what is written about it is
/// the runtime's business.
protocol Handler: Sendable {
    /// Runs one attempt on the worker's loop until it has ended, however it ends; nothing of it goes on afterwards.
    ///
    /// Once `stop` is requested it ends the work and returns soon. What it returns then counts only if it is a
    /// success: the work was done after all.
    func run(_ job: LeasedJob, stop: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult
}
