internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// What the folder of counts tells the raiser of marks.
final class SharedActivity: Sendable {
    private let activity = Mutex(SubqueueActivity())

    func add(_ leased: [Int32: Int64]) {
        activity.withLock { $0.add(leased) }
    }

    func takeActive() -> [Int32] {
        activity.withLock { $0.takeActive() }
    }
}

/// Raises the low-water marks from which leases look for jobs, so that a long transaction somewhere in the database
/// does not slow them down.
struct LowWaterMarkAdvancer: PeriodicTask {
    static let name = "raise marks"
    /// While nothing is leased.
    static let interval = Duration.seconds(1)
    static let busyInterval = Duration.milliseconds(250)

    let store: JobStore
    let activity: SharedActivity
    private var cadence = LowWaterMarkCadence()

    init(store: JobStore, activity: SharedActivity) {
        self.store = store
        self.activity = activity
    }

    struct Report: TaskReport {
        let raised: Int
        let lowered: Int
        let dueIn: Duration?

        /// A job had been hidden, for a few seconds at most: what an operator wants to know who looks for a delay.
        var isNotable: Bool { lowered > 0 }
        var message: String { "jobs that were committed late are seen now" }
        var fields: LogFields { ["subqueues": .integer(lowered)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        let subqueues = activity.takeActive()
        let (raised, sequence) = try await store.advanceLowWaterMarks(of: subqueues, upTo: cadence.provenSequence)
        cadence.ticked(sequence: sequence)
        var lowered = 0
        let start = MonotonicInstant.now()
        if cadence.isSweepDue(at: start) {
            lowered = try await store.sweepLowWaterMarks()
            cadence.swept(from: start, to: .now())
        }
        return Report(raised: raised, lowered: lowered, dueIn: subqueues.isEmpty ? nil : Self.busyInterval)
    }
}
