internal import EventLoop
internal import Postgres
internal import Telemetry
internal import Values

/// Runs one task repeatedly until its own Swift task is cancelled: one run after the other, never two at once.
///
/// A failed run changes only the pace: a later run does what was left undone.
struct Ticker<Work: PeriodicTask> {
    private let loop: Loop
    private let reachability: Reachability
    private let logger: Logger
    /// The level at which the counts are logged when it stops.
    private let countsLevel: LogLevel
    private let wake: WakeSignal
    private var work: Work
    private var pace: Pace
    private(set) var counts = TickCounts()

    /// - Parameters:
    ///   - interval: the longest pause between two runs.
    ///   - pauseMin: the shortest pause, if the task asks to run sooner.
    ///   - wake: ends a pause early.
    init(
        _ work: Work, every interval: Duration, pauseMin: Duration, on loop: Loop, reachability: Reachability,
        wake: WakeSignal? = nil, logger: Logger, countsLevel: LogLevel = .debug
    ) {
        self.work = work
        pace = Pace(interval: interval, pauseMin: pauseMin)
        self.loop = loop
        self.reachability = reachability
        self.wake = wake ?? WakeSignal(on: loop)
        self.logger = logger.with(["task": .string(work.name)])
        self.countsLevel = countsLevel
    }

    /// Call it on the loop. A run that is under way when the Swift task is cancelled ends after its statement.
    mutating func run() async {
        while !Task.isCancelled {
            let next = await tick()
            await wake.waitUnlessCancelled(until: .now() + next.pause)
        }
        logger.log(countsLevel, "stopped", counts.fields)
    }

    /// Runs the task until no more work is due at once.
    /// - Returns: false when a run failed, or the Swift task was cancelled before.
    mutating func finish() async -> Bool {
        while !Task.isCancelled {
            let next = await tick()
            guard counts.failures == 0 else { return false }
            guard next.isMoreDue else { return true }
            await wake.waitUnlessCancelled(until: .now() + next.pause)
        }
        return false
    }

    /// What follows a run: the pause before the next one, and whether it left work undone.
    struct Next: Hashable {
        let pause: Duration
        let isMoreDue: Bool
    }

    /// One run.
    mutating func tick() async -> Next {
        let start = MonotonicInstant.now()
        do throws(Work.Failure) {
            let report = try await work.runOnce()
            let end = MonotonicInstant.now()
            counts.ran(for: end - start)
            reachability.answered(task: work.name, at: end)
            if report.isNotable {
                logger.info(report.message, report.fields.merged(with: ["duration_ms": .milliseconds(end - start)]))
            }
            let pause = pace.succeeded(dueIn: report.dueIn, random: .random(in: 0...1))
            return Next(pause: pause, isMoreDue: report.dueIn == .zero)
        } catch {
            return Next(pause: failed(error, since: start), isMoreDue: true)
        }
    }

    private mutating func failed(_ error: any Error, since start: MonotonicInstant) -> Duration {
        // During a stop it does not matter any more.
        guard !Task.isCancelled else { return .zero }
        let end = MonotonicInstant.now()
        counts.failed(after: end - start)
        let pause = pace.failed(random: .random(in: 0...1))
        if let error = error as? PostgresError, Reachability.isOutage(error) {
            reachability.failed(error, task: work.name, at: end)
        } else if pace.isFailureLogged {
            let fields: LogFields = ["error": .error(error), "failures_in_a_row": .integer(pace.failures)]
            logger.log(work.failureLevel, work.failureMessage, fields)
        }
        return pause
    }
}

/// What a ticker has counted.
struct TickCounts: Hashable, Sendable {
    private(set) var runs = 0
    private(set) var failures = 0
    /// In runs, the failed ones included.
    private(set) var busy = Duration.zero
    private(set) var longest = Duration.zero

    mutating func ran(for duration: Duration) {
        runs += 1
        busy += duration
        longest = max(longest, duration)
    }

    mutating func failed(after duration: Duration) {
        failures += 1
        ran(for: duration)
    }

    var fields: LogFields {
        [
            "runs": .integer(runs), "failures": .integer(failures), "busy_ms": .milliseconds(busy),
            "longest_ms": .milliseconds(longest),
        ]
    }
}
