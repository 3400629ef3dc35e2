public import Pools
import Postgres
import Values

/// The pool of the tests: `swarm`, of size 3, with the workloads `a` to `f`.
extension Fixture {
    public static let workloadNames = ["a", "b", "c", "d", "e", "f"]

    public func configurePool(_ workloads: [String] = workloadNames, size: Int32? = 3) async throws {
        try await pools.configure(PoolSpec(name: "swarm", size: size, workloads: workloads, handler: "stream"))
    }

    /// A process that asks for an ordinal.
    /// - Parameter boot: tells apart processes that ask for the same ordinal.
    public static func candidate(_ ordinal: Int32, _ boot: UInt64 = 0) -> PoolCandidate {
        PoolCandidate(
            pool: "swarm", ordinal: ordinal, incarnation: UUID(high: UInt64(ordinal) + 1, low: boot),
            name: "swarm-worker-\(ordinal)", host: "swarm-worker-\(ordinal)")
    }

    @discardableResult
    public func joinPool(_ ordinal: Int32, _ boot: UInt64 = 0) async throws -> Membership {
        let answer = try await members.join(Self.candidate(ordinal, boot), leaseSeconds: 30)
        guard case .joined(let membership) = answer else { throw NotJoined(answer: answer) }
        return membership
    }

    /// A complete pool: the members 0, 1, ..., to which the workloads are assigned.
    public func startPool(_ count: Int32 = 3) async throws -> [Membership] {
        try await configurePool(size: count)
        var memberships: [Membership] = []
        for ordinal in 0..<count { memberships.append(try await joinPool(ordinal)) }
        _ = try await pools.rebalance()
        return memberships
    }

    /// Takes the workloads that are the member's own and free.
    public func acquireAll(_ membership: Membership) async throws -> [WorkloadLease] {
        let view = try await members.renew(membership, [], leaseSeconds: 30)
        return try await members.acquire(
            view.entries.filter(\.isOwn).map(\.name), as: membership, leaseSeconds: 30
        ).sorted { $0.name < $1.name }
    }

    /// The workloads of each owner.
    public func owners() async throws -> [Int32?: [String]] {
        Dictionary(grouping: try await pools.workloads(of: "swarm"), by: \.owner).mapValues { $0.map(\.name) }
    }

    public func poolVersion() async throws -> Int64? {
        try await pools.find("swarm")?.version
    }

    /// A membership, and the leases under it, expired two seconds ago.
    public func expire(_ membership: Membership) async throws {
        try await expireMembership(of: membership.ordinal, secondsAgo: 2)
        var parameters = Parameters()
        parameters.append(membership.ordinal)
        try await sql(
            "UPDATE pool_workload SET expires_at = clock_timestamp() - interval '2 s' WHERE holder_ordinal = $1",
            parameters)
    }

    /// A membership expired `seconds` ago, and no lease under it.
    public func expireMembership(of ordinal: Int32, secondsAgo seconds: Double = 0) async throws {
        var parameters = Parameters()
        parameters.append(ordinal)
        parameters.append(seconds)
        try await sql(
            "UPDATE pool_member SET expires_at = clock_timestamp() - make_interval(secs => $2) WHERE ordinal = $1",
            parameters)
    }
}

/// The pool did not take a candidate that the test counts on.
public struct NotJoined: Error {
    public let answer: JoinResult
}
