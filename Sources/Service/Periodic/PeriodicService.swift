internal import EventLoop
internal import Synchronization
public import Telemetry
public import Values

/// A periodic task as a service of the process.
public final class PeriodicService: ProcessService {
    public let name: String
    /// What is left of the task's type once the ticker is made.
    private let run: @Sendable () async -> Void
    private let finishing: @Sendable () async -> Bool
    private let whileDraining: Bool
    private let background: BackgroundTask
    private let wake: WakeSignal

    /// - Parameters:
    ///   - interval: the longest pause between two runs.
    ///   - pauseMin: the shortest pause, if the task asks to run sooner.
    ///   - whileDraining: whether it goes on during the drain, until its turn to stop comes; otherwise no run begins
    ///     after the drain has begun.
    ///   - countsLevel: the level at which runs, failures and durations are logged when it stops.
    public init<Work: PeriodicTask>(
        _ work: Work, every interval: Duration, pauseMin: Duration = .zero, in process: ProcessContext,
        whileDraining: Bool = false, countsLevel: LogLevel = .debug
    ) {
        name = work.name
        self.whileDraining = whileDraining
        background = BackgroundTask(on: process.loop)
        let wake = WakeSignal(on: process.loop)
        self.wake = wake
        let ticker: @Sendable () -> Ticker<Work> = {
            Ticker(
                work, every: interval, pauseMin: pauseMin, on: process.loop, reachability: process.reachability,
                wake: wake, logger: process.logger, countsLevel: countsLevel)
        }
        run = {
            var ticker = ticker()
            await ticker.run()
        }
        finishing = {
            var ticker = ticker()
            return await ticker.finish()
        }
    }

    /// Ends the pause that is under way, or skips the next one. Call it on the loop.
    public func runSoon() {
        wake.wake()
    }

    /// Runs the task until no more work is due at once, instead of starting the service.
    /// - Returns: false when a run failed, or the Swift task was cancelled before.
    public func finish() async -> Bool {
        await finishing()
    }

    public func start() async {
        background.start(run)
    }

    public func drain(until graceEnd: MonotonicInstant) {
        if !whileDraining { background.cancel() }
    }

    public func stop() async {
        background.cancel()
        await background.end()
    }
}

/// An action that is repeated and cannot fail, such as a look at a clock.
public struct RepeatedAction: PeriodicTask {
    public typealias Failure = Never

    public let name: String
    private let action: @Sendable () async -> Void

    public init(_ name: String, _ action: @escaping @Sendable () async -> Void) {
        self.name = name
        self.action = action
    }

    public func runOnce() async -> NoReport {
        await action()
        return NoReport()
    }
}
