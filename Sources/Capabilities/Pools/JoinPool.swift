public import Postgres
public import Values

/// A worker that joins a pool.
public struct PoolCandidate: Hashable, Sendable {
    public var pool: String
    public var ordinal: Int32
    /// Identifies one start of one process.
    public var incarnation: UUID
    /// Its name in `config.yml`.
    public var name: String
    public var host: String

    public init(pool: String, ordinal: Int32, incarnation: UUID, name: String, host: String) {
        self.pool = pool
        self.ordinal = ordinal
        self.incarnation = incarnation
        self.name = name
        self.host = host
    }
}

/// A membership: an ordinal of a pool and the incarnation that has it.
public struct Membership: Hashable, Sendable {
    public let poolID: Int32
    public let ordinal: Int32
    public let incarnation: UUID
}

/// `$1` to `$3` of a member's statements.
extension Membership: StatementInputGroup {
    public var statementInputs: StatementInputs<Int32, Int32, UUID> { StatementInputs(poolID, ordinal, incarnation) }
}

/// The result of an attempt to join.
public enum JoinResult: Hashable, Sendable {
    case joined(Membership)
    /// Another incarnation has the ordinal. `remaining`: the time until its membership expires without a renewal.
    case taken(by: UUID, host: String, remaining: Duration)
    case noSuchPool
}

extension PoolStore {
    /// There is one row for each ordinal: of two concurrent candidates, one waits for the other's commit and then finds
    /// the ordinal taken.
    private static let join = Statement<String, Int32, UUID, String, String, Double, [UUID]>(
        "join_pool",
        """
        INSERT INTO pool_member AS m (pool_id, ordinal, name, host, incarnation, joined_at, expires_at, renew_by)
        SELECT p.id, $2, $4, $5, $3, t.at, t.at + make_interval(secs => $6), NULL
        FROM pool p, (SELECT clock_timestamp() AS at OFFSET 0) t
        WHERE p.name = $1 AND p.removed_at IS NULL
        ON CONFLICT (pool_id, ordinal) DO UPDATE
        SET name = EXCLUDED.name, host = EXCLUDED.host, incarnation = EXCLUDED.incarnation,
            joined_at = EXCLUDED.joined_at, expires_at = EXCLUDED.expires_at, renew_by = NULL, leaving = false
        WHERE m.incarnation IS NULL OR m.incarnation = EXCLUDED.incarnation OR m.expires_at < clock_timestamp()
           OR m.incarnation = ANY($7)
        RETURNING pool_id, pg_notify(current_schema() || '_pool', $1)::text
        """, isIdempotent: true)

    private static let holder = Statement<String, Int32>(
        "find_pool_member",
        """
        SELECT m.incarnation, m.host, extract(epoch FROM m.expires_at - clock_timestamp())::float8
        FROM pool p
        LEFT JOIN pool_member m ON m.pool_id = p.id AND m.ordinal = $2
        WHERE p.name = $1 AND p.removed_at IS NULL
        """, isIdempotent: true)

    /// Takes the ordinal for `leaseSeconds`, unless another incarnation has it.
    /// - Parameters:
    ///   - ended: incarnations that have ended: they have no ordinal any more.
    ///   - leaseSeconds: duration of the membership in seconds, without a renewal.
    public func join(
        _ candidate: PoolCandidate, ended: [UUID] = [], leaseSeconds: Double
    ) async throws(PostgresError) -> JoinResult {
        let joining = Self.join(
            candidate.pool, candidate.ordinal, candidate.incarnation, candidate.name, candidate.host, leaseSeconds,
            ended)
        if let (poolID, _) = try await database.execute(joining).decodeFirst((Int32, String).self) {
            let membership = Membership(
                poolID: poolID, ordinal: candidate.ordinal, incarnation: candidate.incarnation)
            return .joined(membership)
        }
        let holder = try await database.execute(Self.holder(candidate.pool, candidate.ordinal))
            .decodeFirst((UUID?, String?, Double?).self)
        guard let holder else { return .noSuchPool }
        // The ordinal was released between the two statements: the next attempt finds it free.
        guard case (let other?, let host?, let seconds?) = holder else {
            return .taken(by: candidate.incarnation, host: candidate.host, remaining: .zero)
        }
        return .taken(by: other, host: host, remaining: .seconds(seconds))
    }

    private static let leave = Statement<Membership>(
        "leave_pool",
        """
        WITH leaving AS MATERIALIZED (
            UPDATE pool_member SET leaving = true
            WHERE pool_id = $1 AND ordinal = $2 AND incarnation = $3 AND NOT leaving RETURNING pool_id)
        SELECT pg_notify(current_schema() || '_pool', p.name) FROM leaving JOIN pool p ON p.id = leaving.pool_id
        """, isIdempotent: true)

    /// Marks a member as leaving. Its workloads are assigned to the others, which start each when it is released.
    public func leave(_ membership: Membership) async throws(PostgresError) {
        _ = try await database.execute(Self.leave(membership))
    }

    private static let deregister = Statement<Membership>(
        "deregister_member",
        """
        WITH deleted AS MATERIALIZED (
            UPDATE pool_member SET incarnation = NULL, joined_at = NULL, expires_at = NULL, renew_by = NULL,
                leaving = false
            WHERE pool_id = $1 AND ordinal = $2 AND incarnation = $3 RETURNING pool_id)
        SELECT pg_notify(current_schema() || '_pool', p.name) FROM deleted JOIN pool p ON p.id = deleted.pool_id
        """, isIdempotent: true)

    /// Releases the ordinal. Another worker that waits for it can join at once.
    public func deregister(_ membership: Membership) async throws(PostgresError) {
        _ = try await database.execute(Self.deregister(membership))
    }
}
