internal import EventLoop
internal import Postgres
internal import Telemetry
internal import Values

/// Runs one task again and again, until its own Swift task is cancelled: one run after the other, never two at once.
///
/// Errors change nothing but the pace: what was not done is found by a later run.
struct Ticker<Work: PeriodicTask> {
    let loop: Loop
    let reachability: Reachability
    let logger: Logger
    private var work: Work
    private var pace: Pace
    private(set) var counts = TickCounts()

    /// - Parameters:
    ///   - interval: the longest pause between two runs.
    ///   - pauseMin: the shortest, where the task asks to run sooner.
    init(
        _ work: Work, every interval: Duration, pauseMin: Duration, on loop: Loop, reachability: Reachability,
        logger: Logger
    ) {
        self.work = work
        pace = Pace(interval: interval, pauseMin: pauseMin)
        self.loop = loop
        self.reachability = reachability
        self.logger = logger.with(["task": .string(Work.name)])
    }

    /// Call it on the loop. A run that is under way when the task is cancelled ends after its statement.
    mutating func run() async {
        while !Task.isCancelled {
            let next = await tick()
            try? await loop.sleep(for: next.pause)
        }
        logger.info("stopped", counts.fields)
    }

    /// Runs the task until it has nothing more to do at once.
    /// - Returns: false when a run failed, or the Swift task was cancelled before.
    mutating func finish() async -> Bool {
        while !Task.isCancelled {
            let next = await tick()
            guard counts.failures == 0 else { return false }
            guard next.isMoreDue else { return true }
            try? await loop.sleep(for: next.pause)
        }
        return false
    }

    /// What follows a run: the pause until the next, and whether work was left over for it.
    struct Next: Hashable {
        let pause: Duration
        let isMoreDue: Bool
    }

    /// One run.
    mutating func tick() async -> Next {
        let start = MonotonicInstant.now()
        do throws(PostgresError) {
            let report = try await work.runOnce()
            let end = MonotonicInstant.now()
            counts.ran(for: end - start)
            reachability.answered(task: Work.name, at: end)
            if report.isNotable {
                logger.info(report.message, report.fields.merged(with: ["duration_ms": .milliseconds(end - start)]))
            }
            let pause = pace.succeeded(dueIn: report.dueIn, random: .random(in: 0...1))
            return Next(pause: pause, isMoreDue: report.dueIn == .zero)
        } catch {
            return Next(pause: failed(error, since: start), isMoreDue: true)
        }
    }

    private mutating func failed(_ error: PostgresError, since start: MonotonicInstant) -> Duration {
        // On the way out it does not matter any more.
        guard !Task.isCancelled else { return .zero }
        let end = MonotonicInstant.now()
        counts.failed(after: end - start)
        let pause = pace.failed(random: .random(in: 0...1))
        if Reachability.isOutage(error) {
            reachability.failed(error, task: Work.name, at: end)
        } else if pace.isFailureWorthTelling {
            let fields: LogFields = ["error": .error(error), "failures_in_a_row": .integer(pace.failures)]
            logger.error("the run failed; trying again", fields)
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
