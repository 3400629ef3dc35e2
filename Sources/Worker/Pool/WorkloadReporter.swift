internal import EventLoop
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry

/// Stores the reports of this member's workloads: the latest report of each, all in one statement, at most once a
/// second. A report that could not be stored is retried until a newer one replaces it.
final class WorkloadReporter: Sendable {
    /// Pause between two statements.
    private static let pause = Duration.seconds(1)

    fileprivate struct State {
        var poolID: Int32 = 0
        var unwritten: [WorkloadLease: WorkloadReport] = [:]
        var isRunning = false
    }

    private let store: PoolStore
    private let loop: Loop
    private let logger: Logger
    private let state = Mutex(State())

    init(store: PoolStore, on loop: Loop, logger: Logger) {
        self.store = store
        self.loop = loop
        self.logger = logger
    }

    /// Queues a report and returns at once.
    func report(_ report: WorkloadReport, of lease: WorkloadLease, inPool id: Int32) {
        let mustStart = state.withLock { state in
            state.poolID = id
            state.add(report, of: lease)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { loop.spawn { await self.run() } }
    }

    /// Drops the reports of leases that are released: PostgreSQL stores none without a lease.
    func drop(_ leases: [WorkloadLease]) {
        state.withLock { state in for lease in leases { state.unwritten[lease] = nil } }
    }

    /// Runs until no report waits.
    private func run() async {
        while let (id, reports) = take() {
            do throws(PostgresError) {
                let locked = Set(try await store.report(reports, ofPool: id).locked)
                state.withLock { $0.restore(reports.filter { locked.contains($0.key) }) }
            } catch {
                logger.warning(
                    "cannot store workload reports; retrying",
                    ["count": .integer(reports.count), "error": .error(error)])
                state.withLock { $0.restore(reports) }
            }
            try? await loop.sleep(for: Self.pause)
        }
    }

    private func take() -> (Int32, [WorkloadLease: WorkloadReport])? {
        state.withLock { state in
            state.isRunning = !state.unwritten.isEmpty
            guard state.isRunning else { return nil }
            defer { state.unwritten = [:] }
            return (state.poolID, state.unwritten)
        }
    }
}

extension WorkloadReporter.State {
    /// Queues a report. It keeps the error of the report that it replaces, unless it has an error itself.
    fileprivate mutating func add(_ report: WorkloadReport, of lease: WorkloadLease) {
        var report = report
        if report.error == nil { report.error = unwritten[lease]?.error }
        unwritten[lease] = report
    }

    /// Queues reports again that could not be stored, behind newer ones.
    fileprivate mutating func restore(_ reports: [WorkloadLease: WorkloadReport]) {
        for (lease, report) in reports {
            guard let newer = unwritten[lease] else {
                unwritten[lease] = report
                continue
            }
            if newer.error == nil { unwritten[lease]?.error = report.error }
        }
    }
}
