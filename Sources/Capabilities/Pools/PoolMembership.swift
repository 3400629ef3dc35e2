public import Values

/// Whether a pool has the members that it needs, and who of them are given workloads: pure, so that every instant comes
/// from outside. Instants are PostgreSQL's.
///
/// A pool *gathers* until it is complete for the first time: nothing is assigned meanwhile, since the first member to
/// start would be given everything, only to lose most of it to the others at once. From then on whoever lives shares
/// the work: a member that dies or leaves is done without.
///
/// When nobody is left (an outage, a restart of everything) the pool gathers again. Assignments stay as they are, so
/// that each member that comes back goes on with what it had, and nothing moves. What belongs to those that do not
/// come back is shared out when the pool has not changed for `PoolLimits.memberReturnTime`.
public struct PoolMembership: Hashable, Sendable {
    /// What the pool was told; nil: `auto`.
    public var size: Int32?
    /// The size that it had when it was complete; 0: it never was. Ordinals below it belong to the pool.
    public var completeSize: Int32 = 0
    /// Next: false when it is complete, or has waited for long enough; true again when nobody is left.
    public var isWaitingForMembers = true
    /// How many members it seems to have, and since when that many.
    public var observed: Int32 = 0
    public var observedSince: WallInstant

    public init(size: Int32?, since: WallInstant) {
        self.size = size
        observedSince = since
    }

    /// Looks at the ordinals that are alive. Returns, in order, those that share the workloads from now on; nil: everything
    /// stays assigned as it is.
    public mutating func look(_ alive: Set<Int32>, at now: WallInstant) -> [Int32]? {
        let seen = size.map { size in Int32(alive.count { $0 < size }) } ?? seemingSize(alive)
        if seen != observed {
            observed = seen
            observedSince = now
        }
        if let size { settle(size, isComplete: seen == size, at: now) } else { settle(alive, at: now) }
        let sharing = alive.filter { $0 < completeSize }.sorted()
        if sharing.isEmpty { isWaitingForMembers = true }
        return isWaitingForMembers ? nil : sharing
    }

    /// Whether every ordinal of the pool is alive.
    public func isComplete(_ alive: Set<Int32>) -> Bool {
        let size = size ?? completeSize
        return size > 0 && Self.contiguous(alive) >= size
    }

    private func hasRested(for duration: Duration, at now: WallInstant) -> Bool {
        now - observedSince >= duration
    }

    private mutating func settle(_ size: Int32, isComplete: Bool, at now: WallInstant) {
        let mayDoWithout = completeSize > 0 && observed > 0 && hasRested(for: PoolLimits.memberReturnTime, at: now)
        if isComplete || mayDoWithout { isWaitingForMembers = false }
        // A size that was changed counts at once for a pool that was complete before.
        if isComplete || completeSize > 0 { completeSize = size }
    }

    /// Of the size `auto`: as many as are alive and contiguous from 0, for long enough.
    private mutating func settle(_ alive: Set<Int32>, at now: WallInstant) {
        // Members come back one after the other: one that is missed may be on its way.
        let isAwaitingReturn = isWaitingForMembers && observed < completeSize
        let time = isAwaitingReturn ? PoolLimits.memberReturnTime : PoolLimits.sizeStableTime
        guard observed > 0, hasRested(for: time, at: now) else { return }
        if observed <= Self.contiguous(alive) || observed < completeSize { completeSize = observed }
        isWaitingForMembers = false
    }

    /// A gap does not make the pool smaller: who is above it keeps his work. Only when the highest ordinals are gone it
    /// does.
    private func seemingSize(_ alive: Set<Int32>) -> Int32 {
        let contiguous = Self.contiguous(alive)
        guard contiguous < completeSize else { return contiguous }
        return min(completeSize, (alive.max() ?? -1) + 1)
    }

    private static func contiguous(_ alive: Set<Int32>) -> Int32 {
        var count: Int32 = 0
        while alive.contains(count) { count += 1 }
        return count
    }
}
