internal import EventLoop
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry

/// Stores what the workloads of this member are doing: all together, at most once a second, the last word of each. What
/// could not be stored is tried again, while nothing newer takes its place.
final class WorkloadReporter: Sendable {
    /// Between two statements.
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

    /// Returns at once.
    func report(_ report: WorkloadReport, of lease: WorkloadLease, inPool id: Int32) {
        let mustStart = state.withLock { state in
            state.poolID = id
            state.add(report, of: lease)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { loop.spawn { await self.run() } }
    }

    /// The lease is gone, and nothing about it would be stored.
    func forget(_ leases: [WorkloadLease]) {
        state.withLock { state in for lease in leases { state.unwritten[lease] = nil } }
    }

    /// Until there is nothing left to store.
    private func run() async {
        while let (id, reports) = take() {
            do throws(PostgresError) {
                try await store.report(reports, ofPool: id)
            } catch {
                logger.warning(
                    "what workloads do is not stored yet", ["count": .integer(reports.count), "error": .error(error)])
                state.withLock { $0.putBack(reports) }
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
    /// An error that was not stored yet is not lost by what follows it.
    fileprivate mutating func add(_ report: WorkloadReport, of lease: WorkloadLease) {
        var report = report
        if report.error == nil { report.error = unwritten[lease]?.error }
        unwritten[lease] = report
    }

    fileprivate mutating func putBack(_ reports: [WorkloadLease: WorkloadReport]) {
        for (lease, report) in reports {
            guard let newer = unwritten[lease] else {
                unwritten[lease] = report
                continue
            }
            if newer.error == nil { unwritten[lease]?.error = report.error }
        }
    }
}
