import EventLoop
internal import Values

/// The decisions of a connection pool: which caller gets which connection, when to connect, when to close. Pure: each
/// event is passed with its instant, and `nextAction` returns actions until there are none left.
///
/// A connection is used in one of two ways. *Shared*: it carries the statements of many callers in its pipeline, and
/// each statement goes to the connection with the fewest in flight. *Exclusive*: one caller has it until its release.
/// If a caller waits for exclusive use and no connection is idle, the connection with the fewest statements in flight
/// is *reserved*: no further statement is sent on it, and when it is idle the caller gets it. The two kinds of callers
/// wait in two queues; where they compete, the longer wait is served first.
///
/// While connecting fails, there is one attempt at a time, with exponential backoff, in order not to burden a server in
/// trouble.
struct ConnectionPoolState {
    struct Limits: Sendable {
        var connectionsMax: Int
        /// Minimum number of connections after the first use, also without demand, so that the pool recovers before the
        /// next caller.
        var connectionsMin = 1
        var waitersMax = 1_000
        /// Maximum number of shared statements in flight on one connection.
        var pipelineDepthMax = 256
        /// Pauses between attempts to connect. The cap is below 10 s, the longest that a caller may have to wait once
        /// PostgreSQL is back.
        var backoff = CappedBackoff(first: .milliseconds(50), cap: .seconds(5))
        /// A connection that is lost at a lower age counts as a failed attempt.
        var shortLife = Duration.seconds(1)
    }

    enum Use {
        case shared, exclusive
    }

    enum Action: Equatable {
        case connect(Int)
        case close(Int)
        case serve(waiter: Int, connection: Int)
        /// Call `nextAction` again at this instant.
        case wake(MonotonicInstant)
    }

    private struct Slot {
        enum Phase {
            /// Followed by `open` (`connected`), or removed (`connectFailed`).
            case connecting
            /// Followed by `exclusive` (`take`), or removed (`lost`, or closed when retiring).
            case open(inFlight: Int)
            /// Followed by `open` (`release`), or removed (`lost`).
            case exclusive
        }

        let id: Int
        var phase = Phase.connecting
        var isReserved = false
        /// To be closed as soon as it is idle.
        var isRetiring = false
        var openedAt = MonotonicInstant(nanoseconds: 0)
        var retireAt = MonotonicInstant.distantFuture

        /// Number of shared statements in flight; nil unless open.
        var inFlight: Int? {
            if case .open(let inFlight) = phase { inFlight } else { nil }
        }
    }

    private struct Waiter {
        let id: Int
        let use: Use
        let deadline: MonotonicInstant
    }

    let limits: Limits
    private var slots: [Slot] = []
    private var sharedWaiters = FIFO<Waiter>()
    private var exclusiveWaiters = FIFO<Waiter>()
    private var idsTaken = 0
    private var isStarted = false
    private var backoff: CappedBackoff
    private var retryAt = MonotonicInstant(nanoseconds: 0)
    /// A statement was sent on a busy connection although another connection may be opened.
    private var wantsGrowth = false

    init(limits: Limits) {
        self.limits = limits
        backoff = limits.backoff
    }

    // MARK: Callers

    /// Returns a connection for a caller, in use until `release`. Nil if the caller must wait.
    mutating func take(_ use: Use, at now: MonotonicInstant) -> Int? {
        isStarted = true
        return switch use {
        case .shared: sharedWaiters.isEmpty ? takeShared(at: now) : nil
        case .exclusive: exclusiveWaiters.isEmpty ? takeExclusive(at: now) : nil
        }
    }

    private mutating func takeShared(at now: MonotonicInstant) -> Int? {
        var best: (index: Int, inFlight: Int)?
        for index in slots.indices {
            guard let inFlight = slots[index].inFlight, !slots[index].isReserved else { continue }
            if slots[index].retireAt <= now { slots[index].isRetiring = true }
            guard !slots[index].isRetiring, inFlight < limits.pipelineDepthMax else { continue }
            if best.map({ inFlight < $0.inFlight }) ?? true { best = (index, inFlight) }
        }
        guard let best else { return nil }
        if best.inFlight > 0 && slots.count < limits.connectionsMax { wantsGrowth = true }
        slots[best.index].phase = .open(inFlight: best.inFlight + 1)
        return slots[best.index].id
    }

    private mutating func takeExclusive(at now: MonotonicInstant) -> Int? {
        for index in slots.indices where slots[index].inFlight == 0 && !slots[index].isRetiring {
            if slots[index].retireAt <= now {
                slots[index].isRetiring = true
                continue
            }
            slots[index].phase = .exclusive
            slots[index].isReserved = false
            return slots[index].id
        }
        return nil
    }

    /// Requests the minimum number of connections before the first caller.
    mutating func start() {
        isStarted = true
    }

    /// Adds a waiting caller. Returns its id; nil if there are too many.
    mutating func wait(_ use: Use, until deadline: MonotonicInstant) -> Int? {
        guard waitingCount < limits.waitersMax else { return nil }
        let waiter = Waiter(id: takeID(), use: use, deadline: deadline)
        switch use {
        case .shared: sharedWaiters.append(waiter)
        case .exclusive: exclusiveWaiters.append(waiter)
        }
        return waiter.id
    }

    /// Removes a waiting caller. Returns false if it was not waiting, because it has been served.
    mutating func stopWaiting(_ id: Int) -> Bool {
        sharedWaiters.removeFirst { $0.id == id } != nil || exclusiveWaiters.removeFirst { $0.id == id } != nil
    }

    /// Removes and returns the callers whose deadline has passed.
    mutating func expiredWaiters(at now: MonotonicInstant) -> [Int] {
        var expired: [Int] = []
        while let waiter = sharedWaiters.removeFirst(where: { $0.deadline <= now })
            ?? exclusiveWaiters.removeFirst(where: { $0.deadline <= now })
        {
            expired.append(waiter.id)
        }
        return expired
    }

    /// Ends a use of a connection. No effect if the connection has been lost.
    mutating func release(_ id: Int, _ use: Use, at now: MonotonicInstant) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        switch slots[index].phase {
        case .connecting: return
        case .exclusive: slots[index].phase = .open(inFlight: 0)
        case .open(let inFlight): slots[index].phase = .open(inFlight: max(0, inFlight - 1))
        }
        if slots[index].retireAt <= now { slots[index].isRetiring = true }
    }

    // MARK: Connections

    mutating func connected(_ id: Int, at now: MonotonicInstant, retireAt: MonotonicInstant) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        slots[index].phase = .open(inFlight: 0)
        slots[index].openedAt = now
        slots[index].retireAt = retireAt
        backoff.succeeded()
    }

    /// - Parameter random: 0 to 1, for the jitter of the pause.
    mutating func connectFailed(_ id: Int, at now: MonotonicInstant, random: Double) {
        slots.removeAll { $0.id == id }
        retryAt = now + backoff.failed(random: random)
    }

    /// Removes a connection that was lost for any reason.
    mutating func lost(_ id: Int, at now: MonotonicInstant, random: Double) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        let slot = slots.remove(at: index)
        if now - slot.openedAt < limits.shortLife {
            retryAt = now + backoff.failed(random: random)
        }
    }

    /// Closes a connection as soon as it is idle.
    mutating func retire(_ id: Int) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        slots[index].isRetiring = true
    }

    /// Closes every connection that is open now as soon as it is idle.
    mutating func retireAll() {
        for index in slots.indices {
            if case .connecting = slots[index].phase { continue }
            slots[index].isRetiring = true
        }
    }

    // MARK: Actions

    /// The next action to perform; nil if there is none.
    mutating func nextAction(at now: MonotonicInstant) -> Action? {
        if let index = slots.firstIndex(where: { $0.isRetiring && $0.inFlight == 0 }) {
            return .close(slots.remove(at: index).id)
        }
        if let action = serveNext(at: now) { return action }
        reserve()
        return connectNext(at: now)
    }

    private mutating func serveNext(at now: MonotonicInstant) -> Action? {
        let shared = sharedWaiters.first
        let exclusive = exclusiveWaiters.first
        let isExclusiveOlder = exclusive.map { waiter in shared.map { waiter.id < $0.id } ?? true } ?? false
        if isExclusiveOlder, let action = serve(.exclusive, at: now) { return action }
        if shared != nil, let action = serve(.shared, at: now) { return action }
        if exclusive != nil, !isExclusiveOlder { return serve(.exclusive, at: now) }
        return nil
    }

    private mutating func serve(_ use: Use, at now: MonotonicInstant) -> Action? {
        switch use {
        case .shared:
            guard let id = takeShared(at: now), let waiter = sharedWaiters.popFirst() else { return nil }
            return .serve(waiter: waiter.id, connection: id)
        case .exclusive:
            guard let id = takeExclusive(at: now), let waiter = exclusiveWaiters.popFirst() else { return nil }
            return .serve(waiter: waiter.id, connection: id)
        }
    }

    /// Reserves one connection for each caller that waits for exclusive use, unless a caller for shared use has waited
    /// longer.
    private mutating func reserve() {
        let isSharedOlder = sharedWaiters.first.map { $0.id < exclusiveWaiters.first?.id ?? .max } ?? false
        let wanted = isSharedOlder ? 0 : exclusiveWaiters.count
        var reserved = slots.count { $0.isReserved }
        for index in slots.indices where slots[index].isReserved && reserved > wanted {
            slots[index].isReserved = false
            reserved -= 1
        }
        while reserved < wanted {
            let candidates = slots.indices.filter { !slots[$0].isReserved && slots[$0].inFlight != nil }
            guard let index = candidates.min(by: { slots[$0].inFlight ?? 0 < slots[$1].inFlight ?? 0 }) else { return }
            slots[index].isReserved = true
            reserved += 1
        }
    }

    private mutating func connectNext(at now: MonotonicInstant) -> Action? {
        let connecting = slots.count { if case .connecting = $0.phase { true } else { false } }
        let isShort = isStarted && slots.count < limits.connectionsMin
        guard slots.count < limits.connectionsMax, isShort || wantsGrowth || waitingCount > connecting else {
            return nil
        }
        if backoff.failures > 0 {
            guard connecting == 0 else { return nil }
            guard now >= retryAt else { return .wake(retryAt) }
        }
        wantsGrowth = false
        let slot = Slot(id: takeID())
        slots.append(slot)
        return .connect(slot.id)
    }

    private mutating func takeID() -> Int {
        idsTaken += 1
        return idsTaken
    }

    // MARK: Counts

    /// False if `nextAction` would return nil. A fast check for the common case without waiting callers.
    var hasPendingActions: Bool {
        wantsGrowth || waitingCount > 0 || slots.count < limits.connectionsMin || slots.contains { $0.isRetiring }
    }

    var waitingCount: Int { sharedWaiters.count + exclusiveWaiters.count }

    var earliestDeadline: MonotonicInstant? {
        // Both queues are in order of arrival, and all callers wait for the same time.
        switch (sharedWaiters.first?.deadline, exclusiveWaiters.first?.deadline) {
        case (let shared?, let exclusive?): min(shared, exclusive)
        case (let shared, let exclusive): shared ?? exclusive
        }
    }

    /// Number of idle and of busy open connections.
    var connectionCounts: (idle: Int, busy: Int) {
        var counts = (idle: 0, busy: 0)
        for slot in slots {
            switch slot.phase {
            case .connecting: continue
            case .open(inFlight: 0): counts.idle += 1
            case .open, .exclusive: counts.busy += 1
            }
        }
        return counts
    }
}
