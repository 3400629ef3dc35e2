internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry

/// Raises the low-water marks from which leases look for jobs, so that a long transaction somewhere in the database
/// does not slow them down.
struct MarkRaiser: PeriodicTask {
    static let name = "raise marks"
    static let interval = Duration.milliseconds(250)

    let store: JobStore
    private var cadence = MarkCadence()

    init(store: JobStore) {
        self.store = store
    }

    struct Report: TaskReport {
        let moved: Int

        var isNotable: Bool { false }
        var message: String { "low-water marks were moved" }
        var fields: LogFields { ["moved": .integer(moved)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        let now = MonotonicInstant.now()
        let isSweep = cadence.isSweepDue(at: now)
        let marks = try await store.raiseMarks(upTo: cadence.provenSequence, fromZero: isSweep)
        cadence.ticked(at: now, sequence: marks.sequence, swept: isSweep)
        return Report(moved: marks.moved)
    }
}
