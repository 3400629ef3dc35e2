internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry

/// Stores what handlers say of how far their jobs are: all jobs together, at most once a second, the last word of each.
///
/// It is for people to look at. What cannot be stored is told to the log and forgotten; the next report says more.
final class ProgressReporter: Sendable {
    /// Between two statements.
    private static let pause = Duration.seconds(1)

    private struct State {
        var unwritten: [HeldLease: ProgressReport] = [:]
        /// The statement under way, and whose reports it stores.
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

    /// Takes a report, in the place of one that has not been stored yet, and returns at once.
    func report(_ progress: ProgressReport, of lease: HeldLease) {
        let mustStart = state.withLock { state in
            state.unwritten[lease] = progress
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { loop.spawn { await self.run() } }
    }

    /// Whether a report of this lease is not stored yet.
    func hasUnwritten(_ lease: HeldLease) -> Bool {
        state.withLock { $0.unwritten[lease] != nil || $0.writing?.leases.contains(lease) == true }
    }

    /// Stores the last word of an attempt that has ended, before its lease goes.
    func writeLast(of lease: HeldLease) async {
        let (writing, last) = state.withLock { state in
            (state.writing?.task, state.unwritten.removeValue(forKey: lease))
        }
        await writing?.value
        if let last { await write([lease: last]) }
    }

    /// Until there is nothing left to store.
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
            logger.warning("the progress of jobs is not stored", fields)
        }
    }
}
