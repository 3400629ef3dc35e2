internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry

/// Stores the progress reports of handlers: the latest report of each job, all jobs in one statement, at most once a
/// second.
///
/// Progress is informational. A report that cannot be stored is logged and dropped; the next one replaces it.
final class ProgressReporter: Sendable {
    /// Pause between two statements.
    private static let pause = Duration.seconds(1)

    private struct State {
        var unwritten: [HeldLease: ProgressReport] = [:]
        /// The statement under way, and the leases whose reports it stores.
        var writing: (leases: Set<HeldLease>, task: Task<Void, Never>)?
        var isRunning = false
    }

    private let store: JobStore
    private let loop: Loop
    private let logger: Logger
    private let state = Mutex(State())

    init(store: JobStore, on loop: Loop, logger: Logger) {
        self.store = store
        self.loop = loop
        self.logger = logger
    }

    /// Queues a report and returns at once. It replaces a report of the same lease that is not stored yet.
    func report(_ progress: ProgressReport, of lease: HeldLease) {
        let mustStart = state.withLock { state in
            state.unwritten[lease] = progress
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { loop.spawn { await self.run() } }
    }

    /// Whether a report of this lease still waits to be stored.
    func hasUnwritten(_ lease: HeldLease) -> Bool {
        state.withLock { $0.unwritten[lease] != nil || $0.writing?.leases.contains(lease) == true }
    }

    /// Stores the last report of an ended attempt, while its lease is still held.
    func writeLast(of lease: HeldLease) async {
        let (writing, last) = state.withLock { state in
            (state.writing?.task, state.unwritten.removeValue(forKey: lease))
        }
        await writing?.value
        if let last { await write([lease: last]) }
    }

    /// Runs until no report waits.
    private func run() async {
        while let task = startWriting() {
            await task.value
            state.withLock { $0.writing = nil }
            try? await loop.sleep(for: Self.pause)
        }
    }

    private func startWriting() -> Task<Void, Never>? {
        state.withLock { state in
            guard !state.unwritten.isEmpty else {
                state.isRunning = false
                return nil
            }
            let reports = state.unwritten
            state.unwritten = [:]
            let task = loop.spawn { await self.write(reports) }
            state.writing = (Set(reports.keys), task)
            return task
        }
    }

    private func write(_ reports: [HeldLease: ProgressReport]) async {
        do throws(PostgresError) {
            try await store.report(reports)
        } catch {
            let fields: LogFields = ["count": .integer(reports.count), "error": .error(error)]
            logger.warning("cannot store job progress; dropping the reports", fields)
        }
    }
}
