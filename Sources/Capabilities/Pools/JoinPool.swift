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

    /// `$1` to `$3` of a member's statements.
    var parameters: Parameters {
        var parameters = Parameters()
        parameters.append(poolID)
        parameters.append(ordinal)
        parameters.append(incarnation)
        return parameters
    }
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
    private static let join = Statement(
        "join_pool",
        """
        INSERT INTO pool_member AS m (pool_id, ordinal, name, host, incarnation, joined_at, expires_at)
        SELECT p.id, $2, $4, $5, $3, t.at, t.at + make_interval(secs => $6)
        FROM pool p, (SELECT clock_timestamp() AS at OFFSET 0) t
        WHERE p.name = $1 AND p.removed_at IS NULL
        ON CONFLICT (pool_id, ordinal) DO UPDATE
        SET name = EXCLUDED.name, host = EXCLUDED.host, incarnation = EXCLUDED.incarnation,
            joined_at = EXCLUDED.joined_at, expires_at = EXCLUDED.expires_at, leaving = false
        WHERE m.incarnation IS NULL OR m.incarnation = EXCLUDED.incarnation OR m.expires_at < clock_timestamp()
        RETURNING pool_id, pg_notify(current_schema() || '_pool', $1)::text
        """, [.text, .int4, .uuid, .text, .text, .float8], isIdempotent: true)

    private static let holder = Statement(
        "find_pool_member",
        """
        SELECT m.incarnation, m.host, extract(epoch FROM m.expires_at - clock_timestamp())::float8
        FROM pool p
        LEFT JOIN pool_member m ON m.pool_id = p.id AND m.ordinal = $2
        WHERE p.name = $1 AND p.removed_at IS NULL
        """, [.text, .int4], isIdempotent: true)

    /// Takes the ordinal for `leaseSeconds`, unless another incarnation has it.
    /// - Parameter leaseSeconds: duration of the membership in seconds, without a renewal.
    public func join(_ candidate: PoolCandidate, leaseSeconds: Double) async throws(PostgresError) -> JoinResult {
        var parameters = Parameters()
        parameters.append(text: candidate.pool)
        parameters.append(candidate.ordinal)
        var asking = parameters
        asking.append(candidate.incarnation)
        asking.append(text: candidate.name)
        asking.append(text: candidate.host)
        asking.append(leaseSeconds)
        if let row = try await database.execute(Self.join, asking).first {
            let membership = Membership(
                poolID: try row.int4(0), ordinal: candidate.ordinal, incarnation: candidate.incarnation)
            return .joined(membership)
        }
        guard let row = try await database.execute(Self.holder, parameters).first else { return .noSuchPool }
        // The ordinal was released between the two statements: the next attempt finds it free.
        guard let other = try row.optionalUUID(0) else {
            return .taken(by: candidate.incarnation, host: candidate.host, remaining: .zero)
        }
        return .taken(by: other, host: try row.text(1), remaining: .seconds(try row.float8(2)))
    }

    private static let leave = Statement(
        "leave_pool",
        """
        WITH leaving AS MATERIALIZED (
            UPDATE pool_member SET leaving = true
            WHERE pool_id = $1 AND ordinal = $2 AND incarnation = $3 AND NOT leaving RETURNING pool_id)
        SELECT pg_notify(current_schema() || '_pool', p.name) FROM leaving JOIN pool p ON p.id = leaving.pool_id
        """, [.int4, .int4, .uuid], isIdempotent: true)

    /// Marks a member as leaving. Its workloads are assigned to the others, which start each when it is released.
    public func leave(_ membership: Membership) async throws(PostgresError) {
        _ = try await database.execute(Self.leave, membership.parameters)
    }

    private static let deregister = Statement(
        "deregister_member",
        """
        WITH deleted AS MATERIALIZED (
            UPDATE pool_member SET incarnation = NULL, joined_at = NULL, expires_at = NULL, leaving = false
            WHERE pool_id = $1 AND ordinal = $2 AND incarnation = $3 RETURNING pool_id)
        SELECT pg_notify(current_schema() || '_pool', p.name) FROM deleted JOIN pool p ON p.id = deleted.pool_id
        """, [.int4, .int4, .uuid], isIdempotent: true)

    /// Releases the ordinal. Another worker that waits for it can join at once.
    public func deregister(_ membership: Membership) async throws(PostgresError) {
        _ = try await database.execute(Self.deregister, membership.parameters)
    }
}
