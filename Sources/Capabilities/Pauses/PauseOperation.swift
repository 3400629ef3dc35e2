public import JSON
public import Jobs
public import Postgres
internal import Values
public import Workers

/// Carries a change out: commits it, cancels the running jobs of the scope if that is wanted, and waits for the
/// acknowledgements of the workers.
public struct PauseOperation: Sendable {
    private let pauses: PauseStore
    private let jobs: JobStore
    private let workers: WorkerRegistry
    private let acknowledgements: AcknowledgementWaiter

    /// - Parameter acknowledgements: one for the process; it may belong to another loop than the stores.
    public init(
        pauses: PauseStore, jobs: JobStore, workers: WorkerRegistry, acknowledgements: AcknowledgementWaiter
    ) {
        self.pauses = pauses
        self.jobs = jobs
        self.workers = workers
        self.acknowledgements = acknowledgements
    }

    public enum Result: Sendable {
        case done(PauseReport)
        /// Nothing was changed: the scope has this state, whose version is not the expected one.
        case outdated(PauseState)
        /// Nothing was changed: the pause would have ended already.
        case overdue
    }

    /// PostgreSQL failed after the change was committed: the change holds, and what was to follow may be missing.
    public struct Interrupted: Error, CustomStringConvertible {
        public let state: PauseState
        public let cause: PostgresError

        public var description: String {
            "the scope \(state.scope.text) was changed to version \(state.version); then \(cause)"
        }
    }

    /// Throws `Interrupted` for an error after the commit, and PostgresError for one before it.
    ///
    /// - Parameter committed: called after the commit. From then on no lease of a paused scope commits.
    public func run(
        _ change: PauseChange, committed: (PauseState) -> Void = { _ in }
    ) async throws -> Result {
        let state: PauseState
        switch try await pauses.change(change) {
        case .outdated(let current): return .outdated(current)
        case .overdue: return .overdue
        case .changed(let changed): state = changed
        }
        let deadline = MonotonicInstant.now() + .seconds(change.waitSeconds)
        committed(state)
        do throws(PostgresError) {
            var cancelled: Int?
            if change.cancelsRunning {
                cancelled = try await jobs.cancelRunning(
                    in: state.scope.filter, by: Actor(name: change.updatedBy, reason: change.reason))
            }
            if change.waitSeconds > 0 { await acknowledgements.wait(for: state.version, until: deadline) }
            let alive = try await workers.alive()
            return .done(
                PauseReport(
                    state: state, workers: alive, cancelled: cancelled, isAwaited: change.waitSeconds > 0))
        } catch {
            throw Interrupted(state: state, cause: error)
        }
    }
}

/// The effect of a change that was committed.
public struct PauseReport: Sendable {
    public let state: PauseState
    /// The live workers, and the version that each has acknowledged.
    public let workers: [LiveWorker]
    /// The number of running jobs whose cancel was requested; nil: that was not wanted.
    public let cancelled: Int?
    /// Whether the caller wanted to wait for acknowledgements.
    let isAwaited: Bool

    /// Whether every live worker has acknowledged the change.
    public var isAcknowledged: Bool { workers.allSatisfy { $0.pauseVersion >= state.version } }

    /// Whether the change has had the effect that the caller wanted to see: with a wait, all acknowledgements.
    public var isComplete: Bool { isAcknowledged || !isAwaited }

    /// Appends the scope with its new state, and the workers.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        state.writeMembers(to: &writer)
        if let cancelled { writer.member("cancelled", cancelled) }
        writer.member("acknowledged", isAcknowledged)
        writer.array("workers", workers) { $1.writeAcknowledgement(of: state.version, to: &$0) }
        writer.endObject()
    }
}

extension PauseScope {
    /// Selects the jobs of the scope.
    fileprivate var filter: JobFilter {
        var filter = JobFilter()
        switch self {
        case .all: break
        case .queue(let name): filter.queue = name
        case .type(let name): filter.type = name
        }
        return filter
    }
}
