import EventLoop
internal import Values

/// The decisions of a pool: who gets which connection, when to connect, when to close. Pure: events go in with the
/// instant at which they happen, and `nextAction` tells what to do about them until it has nothing more to tell.
///
/// A connection is used in one of two ways. *Shared*, it carries the statements of many callers in its pipeline; each
/// goes to the connection with the fewest in flight. *Exclusive*, one caller has it until it is released. When a
/// caller waits for exclusive use and none is idle, the connection with the fewest in flight is *reserved*: nothing
/// new is sent on it, and when it has run dry it is his. Callers of the two kinds wait in two queues, and the longer
/// wait goes first where they compete.
///
/// While connecting fails, one attempt at a time is made, with growing pauses: a server that is in trouble is not
/// helped by a crowd.
struct ConnectionPoolState {
    struct Limits: Sendable {
        var connectionsMax: Int
        /// Kept open from the first use on, also without demand, so that recovery does not wait for a caller.
        var connectionsMin = 1
        var waitersMax = 1_000
        /// Shared statements in flight on one connection.
        var pipelineDepthMax = 256
        /// Pauses between attempts to connect. The cap is below 10 s, the longest that a caller may have to wait once
        /// PostgreSQL is back.
        var backoff = CappedBackoff(first: .milliseconds(50), cap: .seconds(5))
        /// A connection that lives for less was no success.
        var shortLife = Duration.seconds(1)
    }

    enum Use {
        case shared, exclusive
    }

    enum Action: Equatable {
        case connect(Int)
        case close(Int)
        case serve(waiter: Int, connection: Int)
        /// Ask again at the instant.
        case wake(MonotonicInstant)
    }

    private struct Slot {
        enum Phase {
            /// May become: open, or removed when the attempt fails.
            case connecting
            /// May become: exclusive, or removed.
            case open(inFlight: Int)
            /// May become: open, or removed.
            case exclusive
        }

        let id: Int
        var phase = Phase.connecting
        var isReserved = false
        /// Closed as soon as nobody uses it.
        var isRetiring = false
        var openedAt = MonotonicInstant(nanoseconds: 0)
        var retireAt = MonotonicInstant.distantFuture

        /// Shared statements in flight; nil unless open.
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
    /// Work was sent on a connection that was busy already, though another could be opened.
    private var wantsGrowth = false

    init(limits: Limits) {
        self.limits = limits
        backoff = limits.backoff
    }

    // MARK: Callers

    /// The connection for a caller who need not wait. It counts as in use until `release`.
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

    /// Connections are wanted from now on.
    mutating func start() {
        isStarted = true
    }

    /// A caller who must wait. Nil if too many do already.
    mutating func wait(_ use: Use, until deadline: MonotonicInstant) -> Int? {
        guard waitingCount < limits.waitersMax else { return nil }
        let waiter = Waiter(id: takeID(), use: use, deadline: deadline)
        switch use {
        case .shared: sharedWaiters.append(waiter)
        case .exclusive: exclusiveWaiters.append(waiter)
        }
        return waiter.id
    }

    /// The caller no longer waits; false if it did not, having been served.
    mutating func stopWaiting(_ id: Int) -> Bool {
        sharedWaiters.removeFirst { $0.id == id } != nil || exclusiveWaiters.removeFirst { $0.id == id } != nil
    }

    /// Takes out the callers whose deadline has passed.
    mutating func expiredWaiters(at now: MonotonicInstant) -> [Int] {
        var expired: [Int] = []
        while let waiter = sharedWaiters.removeFirst(where: { $0.deadline <= now })
            ?? exclusiveWaiters.removeFirst(where: { $0.deadline <= now })
        {
            expired.append(waiter.id)
        }
        return expired
    }

    /// The use of a connection has ended. Nothing happens if it has been lost meanwhile.
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

    /// - Parameter random: between 0 and 1, for the jitter of the pause.
    mutating func connectFailed(_ id: Int, at now: MonotonicInstant, random: Double) {
        slots.removeAll { $0.id == id }
        retryAt = now + backoff.failed(random: random)
    }

    /// The connection is gone, for whatever reason.
    mutating func lost(_ id: Int, at now: MonotonicInstant, random: Double) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        let slot = slots.remove(at: index)
        if now - slot.openedAt < limits.shortLife {
            retryAt = now + backoff.failed(random: random)
        }
    }

    /// This connection is closed as soon as nobody uses it.
    mutating func retire(_ id: Int) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        slots[index].isRetiring = true
    }

    /// Every connection that is open now is closed as soon as nobody uses it.
    mutating func retireAll() {
        for index in slots.indices {
            if case .connecting = slots[index].phase { continue }
            slots[index].isRetiring = true
        }
    }

    // MARK: What to do

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

    /// As many connections as there are waiters for exclusive use, unless shared use has waited for longer.
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

    // MARK: What there is

    /// False when `nextAction` would have nothing to tell, in the common case that nobody waits.
    var hasSomethingToDo: Bool {
        wantsGrowth || waitingCount > 0 || slots.count < limits.connectionsMin || slots.contains { $0.isRetiring }
    }

    var waitingCount: Int { sharedWaiters.count + exclusiveWaiters.count }

    var earliestDeadline: MonotonicInstant? {
        // Both queues are in the order of arrival, and all wait equally long.
        switch (sharedWaiters.first?.deadline, exclusiveWaiters.first?.deadline) {
        case (let shared?, let exclusive?): min(shared, exclusive)
        case (let shared, let exclusive): shared ?? exclusive
        }
    }

    /// Open connections that nobody uses, and those that somebody does.
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
