internal import Postgres
public import Values

/// What a pool is told.
public struct PoolSpec: Hashable, Sendable {
    public var name: String
    /// nil: `auto`.
    public var size: Int32?
    /// What is to run; each name once.
    public var workloads: [String]
    /// By whose handler each of them runs.
    public var handler: String

    public init(name: String, size: Int32?, workloads: [String], handler: String) {
        self.name = name
        self.size = size
        self.workloads = workloads
        self.handler = handler
    }
}

/// Who has an ordinal of a pool, while its membership lasts.
public struct PoolMember: Hashable, Sendable {
    public let ordinal: Int32
    /// What `config.yml` calls it.
    public let name: String
    public let host: String
    public let incarnation: UUID
    public let joinedAt: WallInstant
    public let expiresAt: WallInstant
    /// It stops its workloads, and is given no others.
    public let isLeaving: Bool
}

/// A pool as it is now.
public struct Pool: Hashable, Sendable {
    public let spec: PoolSpec
    /// Of the assignment.
    public let version: Int64
    public let membership: PoolMembership
    public let createdAt: WallInstant
    public let updatedAt: WallInstant
    public let updatedBy: String?
    public let reason: String?
    /// In the order of the ordinals.
    public internal(set) var members: [PoolMember] = []

    private var alive: Set<Int32> { Set(members.filter { !$0.isLeaving }.map(\.ordinal)) }

    /// Every ordinal of the pool is alive.
    public var isComplete: Bool { membership.isComplete(alive) }

    /// Ordinals below it belong to the pool; 0: it is not known yet.
    public var effectiveSize: Int32 { spec.size ?? membership.completeSize }

    /// Ordinals that nobody has.
    public var missing: [Int32] {
        let taken = Set(members.map(\.ordinal))
        return (0..<effectiveSize).filter { !taken.contains($0) }
    }

    public enum MemberState: String, CaseIterable, Sendable {
        /// It shares the workloads.
        case alive
        /// It stops, and gives back what it has.
        case leaving
        /// Its ordinal is not below the size: it waits.
        case surplus
        /// Nobody has the ordinal.
        case missing
    }

    public func state(of member: PoolMember) -> MemberState {
        if member.isLeaving { return .leaving }
        return member.ordinal < effectiveSize ? .alive : .surplus
    }
}

/// A workload, whose it is, and what its holder says of it.
public struct Workload: Hashable, Sendable {
    public enum State: String, CaseIterable, Sendable {
        /// Nobody's: the pool gathers its members.
        case unassigned
        /// Its owner has not taken it yet.
        case waiting
        /// Somebody else holds it still, and the owner waits until he has stopped it, or his lease has expired.
        case moving
        /// Taken; its process is about to start.
        case starting
        case running
        /// Its process has ended, and is started again after a pause.
        case backoff
    }

    public let name: String
    public let state: State
    /// An ordinal.
    public let owner: Int32?
    /// What `config.yml` calls the owner.
    public let member: String?
    /// The ordinal that holds it; nil: nobody does.
    public let holder: Int32?
    /// Of the latest lease; 0: there was none.
    public let token: Int64
    public let acquiredAt: WallInstant?
    /// When the lease ends unless it is renewed; nil: nobody holds it.
    public let expiresAt: WallInstant?
    /// The process; nil: there is none.
    public let startedAt: WallInstant?
    /// How often its process has been started again under this lease.
    public let restarts: Int32
    public let lastError: String?
    public let lastErrorAt: WallInstant?
}
