internal import Jobs

/// Accepts the progress reports of a handler, at any rate; called on the worker's loop.
typealias ProgressSink = @Sendable (ProgressReport) -> Void

/// Runs the attempts of one kind of job.
///
/// A handler defines how the work is done and how it ended. The runtime defines when an attempt runs, for how long, and
/// what is written about it.
protocol Handler: Sendable {
    /// When another worker may run the jobs of this one after its death.
    var takeover: Takeover { get }

    /// Runs one attempt on the worker's loop. Returns when the attempt has ended, for whatever reason; nothing of it
    /// runs afterwards.
    ///
    /// After a request on `cancellation` it ends the work and returns soon. Its result then counts only if it is a
    /// success: the work was done after all.
    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult
}

extension Handler {
    var takeover: Takeover { .heartbeat }
}
