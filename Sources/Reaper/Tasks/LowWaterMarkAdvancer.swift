internal import Jobs
internal import Postgres
internal import Service
internal import Synchronization
internal import Telemetry
internal import Values

/// The subqueues with leased jobs, from `TransitionRollup` to `LowWaterMarkAdvancer`.
final class SharedActivity: Sendable {
    private let activity = Mutex(SubqueueActivity())

    func add(_ leased: [Int32: Int64]) {
        activity.withLock { $0.add(leased) }
    }

    func takeActive() -> [Int32] {
        activity.withLock { $0.takeActive() }
    }
}

/// Advances the low-water marks at which lease statements begin to look for jobs, so that dead rows that a long
/// transaction keeps do not slow them down.
struct LowWaterMarkAdvancer: PeriodicTask {
    let name = "advance low-water marks"
    /// While nothing is leased.
    static let interval = Duration.seconds(1)
    static let busyInterval = Duration.milliseconds(250)
    /// A mark that has not advanced for this time is removed, if it is not needed any more.
    static let rest = Duration.seconds(60)
    /// Marks of one run.
    static let removedMax = 100

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

        /// Jobs below a mark had been hidden, for a few seconds at most: this explains a delay.
        var isNotable: Bool { lowered > 0 }
        var message: String { "low-water marks were lowered for jobs that were committed late" }
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
            for _ in 0..<Self.removedMax {
                guard try await store.removeIdleMark(restingFor: Self.rest) else { break }
            }
        }
        return Report(raised: raised, lowered: lowered, dueIn: subqueues.isEmpty ? nil : Self.busyInterval)
    }
}
