import EventLoop
import Postgres
import TestKit
import Testing
import Values

@testable import Pools

/// A migrated database with pools. The test plays the members.
struct Fixture: Sendable {
    let database: TestDatabase
    let pool: ConnectionPool
    let hot: ConnectionPool
    /// The store of people and of the rebalancing process.
    let pools: PoolStore
    /// The store of members.
    let members: PoolStore

    static func use(_ body: @Sendable (Fixture) async throws -> Void) async throws {
        let database = try await TestDatabase.migrated()
        try await TestLoop.run {
            let pool = ConnectionPool(database.settings, options: .init(size: 4), on: TestLoop.shared)
            let hot = ConnectionPool(database.settings, profile: .hot, options: .init(size: 4), on: TestLoop.shared)
            defer {
                pool.close()
                hot.close()
            }
            try await body(
                Fixture(
                    database: database, pool: pool, hot: hot, pools: PoolStore(pool: pool),
                    members: PoolStore(pool: hot)))
        }
    }

    static let names = ["a", "b", "c", "d", "e", "f"]

    func configure(_ workloads: [String] = names, size: Int32? = 3) async throws {
        try await pools.configure(PoolSpec(name: "swarm", size: size, workloads: workloads, handler: "stream"))
    }

    static func candidate(_ ordinal: Int32, _ boot: UInt64 = 0, pool: String = "swarm") -> PoolCandidate {
        PoolCandidate(
            pool: pool, ordinal: ordinal, incarnation: UUID(high: UInt64(ordinal) + 1, low: boot),
            name: "swarm-worker-\(ordinal)", host: "swarm-worker-\(ordinal)")
    }

    func join(_ ordinal: Int32, _ boot: UInt64 = 0) async throws -> Membership {
        let result = try await members.join(Self.candidate(ordinal, boot), leaseSeconds: 30)
        guard case .joined(let membership) = result else { throw NotJoined(result: result) }
        return membership
    }

    struct NotJoined: Error {
        let result: JoinResult
    }

    /// Creates a pool with six workloads and joins the members 0, 1, ...: the pool is complete and assigned.
    func start(_ count: Int32 = 3) async throws -> [Membership] {
        try await configure(size: count)
        var memberships: [Membership] = []
        for ordinal in 0..<count { memberships.append(try await join(ordinal)) }
        _ = try await pools.rebalance()
        return memberships
    }

    /// Acquires the workloads that are assigned to the member and free.
    func acquireAll(_ membership: Membership) async throws -> [WorkloadLease] {
        let renewal = try await members.renew(membership, [], leaseSeconds: 30)
        return try await members.acquire(
            renewal.entries.filter(\.isOwn).map(\.name), as: membership, leaseSeconds: 30
        ).sorted { $0.name < $1.name }
    }

    /// The workloads of each owner.
    func owners() async throws -> [Int32?: [String]] {
        Dictionary(grouping: try await pools.workloads(of: "swarm"), by: \.owner).mapValues { $0.map(\.name) }
    }

    func version() async throws -> Int64 { try #require(try await pools.find("swarm")).version }

    /// Moves the end of a membership and of its leases into the past.
    func expire(_ membership: Membership) async throws {
        try await sql(
            "UPDATE pool_member SET expires_at = clock_timestamp() - interval '2 s' WHERE ordinal = \(membership.ordinal)"
        )
        try await sql(
            """
            UPDATE pool_workload SET expires_at = clock_timestamp() - interval '2 s'
            WHERE holder_ordinal = \(membership.ordinal)
            """)
    }

    @discardableResult
    func sql(_ sql: String) async throws -> Rows { try await pool.execute(sql: sql) }
}
