public import Values

/// Whether a pool has the members that it needs, and which of them get workloads. Pure: every instant is an argument,
/// and comes from PostgreSQL's clock, so that all reapers decide alike.
///
/// The states of a pool:
/// - *Waiting for members, never complete* (`isWaitingForMembers`, `completeSize` 0). Nothing is assigned: otherwise
///   the first member to start would get all workloads, and lose most of them again. Next: *sharing*, when the pool is
///   complete: all ordinals below a fixed size are alive; with the size `auto`, the number of ordinals that are alive
///   and contiguous from 0 has not changed for `PoolLimits.sizeStableTime`.
/// - *Sharing* (not `isWaitingForMembers`). The live members below `completeSize` share the workloads; a member that
///   dies or leaves is not waited for. Next: *waiting for members*, when no member is left (an outage, a restart of
///   all).
/// - *Waiting for members, complete before* (`completeSize` above 0). The assignment stays as it is, so that each
///   returning member continues with its workloads, and nothing moves. Next: *sharing*, when the pool is complete, or
///   when its members have not changed for `PoolLimits.memberReturnTime`: the workloads of missing members move then.
public struct PoolMembership: Hashable, Sendable {
    /// The configured size; nil: `auto`.
    public var size: Int32?
    /// The size when the pool was last complete; 0: it never was. Ordinals below it belong to the pool.
    public var completeSize: Int32 = 0
    /// Whether the assignment is frozen until enough members are alive. `update` sets and clears it.
    public var isWaitingForMembers = true
    /// The number of members at the last change of it, and the instant of that change.
    public var observed: Int32 = 0
    public var observedSince: WallInstant

    public init(size: Int32?, since: WallInstant) {
        self.size = size
        observedSince = since
    }

    /// Applies the set of live ordinals at `now`.
    /// - Returns: the sorted ordinals that share the workloads; nil: the assignment stays as it is.
    public mutating func update(alive: Set<Int32>, at now: WallInstant) -> [Int32]? {
        let count = size.map { size in Int32(alive.count { $0 < size }) } ?? automaticSize(alive)
        if count != observed {
            observed = count
            observedSince = now
        }
        if let size { updateFixed(size, isComplete: count == size, at: now) } else { updateAutomatic(alive, at: now) }
        let sharing = alive.filter { $0 < completeSize }.sorted()
        if sharing.isEmpty { isWaitingForMembers = true }
        return isWaitingForMembers ? nil : sharing
    }

    /// Whether every ordinal of the pool is alive.
    public func isComplete(_ alive: Set<Int32>) -> Bool {
        let size = size ?? completeSize
        return size > 0 && Self.contiguous(alive) >= size
    }

    private func isUnchanged(for duration: Duration, at now: WallInstant) -> Bool {
        now - observedSince >= duration
    }

    private mutating func updateFixed(_ size: Int32, isComplete: Bool, at now: WallInstant) {
        let hasWaitedLongEnough =
            completeSize > 0 && observed > 0 && isUnchanged(for: PoolLimits.memberReturnTime, at: now)
        if isComplete || hasWaitedLongEnough { isWaitingForMembers = false }
        // A changed size applies at once to a pool that was complete before.
        if isComplete || completeSize > 0 { completeSize = size }
    }

    /// The size `auto`: the number of live ordinals contiguous from 0, when it has not changed for a time.
    private mutating func updateAutomatic(_ alive: Set<Int32>, at now: WallInstant) {
        // After an outage members return one after the other: a missing one may be on its way.
        let isAwaitingReturn = isWaitingForMembers && observed < completeSize
        let time = isAwaitingReturn ? PoolLimits.memberReturnTime : PoolLimits.sizeStableTime
        guard observed > 0, isUnchanged(for: time, at: now) else { return }
        if observed <= Self.contiguous(alive) || observed < completeSize { completeSize = observed }
        isWaitingForMembers = false
    }

    /// A gap does not make the pool smaller: the members above it keep their workloads. The pool shrinks only from its
    /// end.
    private func automaticSize(_ alive: Set<Int32>) -> Int32 {
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
