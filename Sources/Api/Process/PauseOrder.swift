internal import EventLoop
internal import Jobs
internal import Pauses
internal import Postgres
internal import Values
internal import Workers

/// A change of control as it is carried out, whoever asks for it: committed, what runs stopped if that is wanted, and the
/// workers waited for.
struct PauseOrder: Sendable {
    /// Between two looks at which workers have obeyed.
    private static let lookInterval = Duration.milliseconds(50)

    var change: PauseChange
    /// For how long the workers are waited for.
    var patience: Duration

    init(_ input: PauseInput, isPause: Bool, scope: PauseScope? = nil) {
        change = PauseChange(
            scope: scope ?? input.scope ?? .all, isPause: isPause, reason: input.reason, updatedBy: input.updatedBy)
        change.expectedVersion = input.expectedVersion
        change.resumeAt = input.resumeAt
        change.cancelsRunning = input.cancelsRunning
        patience = .seconds(input.waitSeconds)
    }

    /// What became of it.
    struct Effect: Sendable {
        let state: PauseState
        /// The live ones.
        let workers: [LiveWorker]
        /// How many running jobs were asked to stop, if that was wanted.
        let cancelled: Int?

        /// Whether every live worker has said that it has obeyed.
        var isAcknowledged: Bool { workers.allSatisfy { $0.pauseVersion >= state.version } }

        var document: [UInt8] { PauseDocument.change(state, workers, cancelled: cancelled) }
    }

    enum Answer: Sendable {
        case carriedOut(Effect)
        /// The scope has another version than the one expected: this one. Nothing was changed.
        case outdated(PauseState)
    }

    /// Call it on the database's loop.
    /// - Parameter committed: called once the change is committed: from then on nothing of a paused scope is leased.
    func carryOut(
        on database: LoopDatabase, committed: (PauseState) -> Void = { _ in }
    ) async throws -> Answer {
        let state: PauseState
        switch try await database.control.change(change) {
        case .outdated(let current): return .outdated(current)
        case .changed(let changed): state = changed
        }
        committed(state)
        var cancelled: Int?
        if change.cancelsRunning {
            cancelled = try await database.jobs.cancelRunning(
                in: state.scope.filter, by: Actor(name: change.updatedBy, reason: change.reason))
        }
        let deadline = MonotonicInstant.now() + patience
        while true {
            let effect = Effect(state: state, workers: try await database.workers.alive(), cancelled: cancelled)
            guard !effect.isAcknowledged, MonotonicInstant.now() < deadline else { return .carriedOut(effect) }
            try await database.loop.sleep(for: Self.lookInterval)
        }
    }
}

extension PauseScope {
    /// The jobs of the scope.
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
