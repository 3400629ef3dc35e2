internal import Postgres
public import Values

/// The settings of a pool.
public struct PoolSpec: Hashable, Sendable {
    public var name: String
    /// Number of members; nil: `auto`.
    public var size: Int32?
    /// Distinct names.
    public var workloads: [String]
    /// The name of the handler whose program runs each workload.
    public var handler: String

    public init(name: String, size: Int32?, workloads: [String], handler: String) {
        self.name = name
        self.size = size
        self.workloads = workloads
        self.handler = handler
    }
}

/// The worker that has an ordinal of a pool, while its membership lasts.
public struct PoolMember: Hashable, Sendable {
    public let ordinal: Int32
    /// Its name in `config.yml`.
    public let name: String
    public let host: String
    /// Identifies one start of one process.
    public let incarnation: UUID
    public let joinedAt: WallInstant
    public let expiresAt: WallInstant
    /// It stops its workloads, and gets no others.
    public let isLeaving: Bool
    /// It has not renewed in time.
    public let isUnresponsive: Bool
}

/// The current state of a pool.
public struct Pool: Hashable, Sendable {
    public let spec: PoolSpec
    /// The version of the assignment.
    public let version: Int64
    public let membership: PoolMembership
    public let createdAt: WallInstant
    public let updatedAt: WallInstant
    public let updatedBy: String?
    public let reason: String?
    /// Sorted by ordinal.
    public internal(set) var members: [PoolMember] = []

    private var alive: Set<Int32> { Set(members.filter { !$0.isLeaving }.map(\.ordinal)) }

    /// Whether every ordinal of the pool is alive.
    public var isComplete: Bool { membership.isComplete(alive) }

    /// Ordinals below it belong to the pool; 0: not known yet.
    public var effectiveSize: Int32 { spec.size ?? membership.completeSize }

    /// Ordinals of the pool without a member.
    public var missing: [Int32] {
        let taken = Set(members.map(\.ordinal))
        return (0..<effectiveSize).filter { !taken.contains($0) }
    }

    public enum MemberState: String, CaseIterable, Sendable {
        /// It shares the workloads. Next: `leaving` when it stops (`leave`), `unresponsive` when a renewal is overdue,
        /// `surplus` when the size is lowered.
        case alive
        /// It has not renewed in time, and may be dead; it keeps its workloads until its membership expires. Next:
        /// `alive` with a renewal, `missing` when its membership expires.
        case unresponsive
        /// It stops its workloads and releases them. Next: `missing` when it releases the ordinal (`deregister`).
        case leaving
        /// Its ordinal is not below the size: it gets no workloads. Next: `alive` when the size is raised, `leaving`
        /// when it stops.
        case surplus
        /// The ordinal has no member. Next: `alive` when a worker joins with it.
        case missing
    }

    public func state(of member: PoolMember) -> MemberState {
        if member.isUnresponsive { return .unresponsive }
        if member.isLeaving { return .leaving }
        return member.ordinal < effectiveSize ? .alive : .surplus
    }
}

/// A workload with its owner, its lease, and the latest report of its holder.
public struct Workload: Hashable, Sendable {
    public enum State: String, CaseIterable, Sendable {
        /// No owner: the pool waits for its members. Next: `waiting` with the first assignment.
        case unassigned
        /// The owner has not acquired it yet, or the lease has expired. Next: `starting` when the owner acquires it.
        case waiting
        /// Another member still holds it: the owner waits until that one releases it or the lease expires. Next:
        /// `waiting`.
        case moving
        /// Acquired; the process is about to start. Next: `running` or `backoff`, by the report of the holder.
        case starting
        /// The process runs. Next: `backoff` when it ends, `moving` when the owner changes, `unresponsive` when the
        /// renewal of its holder is overdue, `waiting` when it is released or its lease expires.
        case running
        /// Its holder has not renewed in time, and may be dead: whether the process runs is unknown. Next: as reported
        /// with a renewal, `waiting` when the lease expires.
        case unresponsive
        /// The process has ended, and restarts after a pause. Next: `running` when it starts, otherwise as `running`.
        case backoff
    }

    public let name: String
    public let state: State
    /// The ordinal that the workload is assigned to; nil: unassigned.
    public let owner: Int32?
    /// The owner's name in `config.yml`.
    public let member: String?
    /// The ordinal that holds the lease; nil: none.
    public let holder: Int32?
    /// The token of the latest lease; 0: there was none.
    public let token: Int64
    public let acquiredAt: WallInstant?
    /// The end of the lease without a renewal; nil: there is no holder.
    public let expiresAt: WallInstant?
    /// The start of the process; nil: it does not run.
    public let startedAt: WallInstant?
    /// Number of restarts of the process under this lease.
    public let restarts: Int32
    public let lastError: String?
    public let lastErrorAt: WallInstant?
}
