public import Postgres
public import Values

/// A job and the token of the lease under which somebody works at it.
public struct HeldLease: Hashable, Sendable {
    public let id: UUID
    public let token: Int64

    public init(id: UUID, token: Int64) {
        self.id = id
        self.token = token
    }
}

/// What a renewal tells of a lease that is still held.
public enum RenewedLease: Hashable, Sendable {
    case kept
    /// The job was asked to stop, and has so many seconds before force is used.
    case ending(graceSeconds: Int32)
}

extension JobStore {
    /// By pairs of id and token, in the order of the ids, so that two statements never wait for each other in a circle.
    private static let renewStatement = Statement(
        "renew_leases",
        """
        WITH given AS MATERIALIZED (
            SELECT id, token FROM unnest($1::uuid[], $2::bigint[]) AS g (id, token) ORDER BY id)
        UPDATE lease l SET expires_at = clock_timestamp() + make_interval(secs => $3)
        FROM given g
        WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
        RETURNING l.id, l.token,
                  CASE WHEN l.cancel_requested_at IS NOT NULL THEN COALESCE(
                      (SELECT cancel_grace_seconds FROM job WHERE id = l.id), $4) END
        """, [.uuidArray, .int8Array, .float8, .int4], isIdempotent: true)

    /// Gives leases `leaseSeconds` from now, by PostgreSQL's clock. In the answer is each that was still held; the
    /// others are lost. By lease and not by job: one process may hold a job
    /// under a lost lease and under the current one.
    public func renew(
        _ leases: [HeldLease], leaseSeconds: Double
    ) async throws(PostgresError) -> [HeldLease: RenewedLease] {
        let sorted = leases.sorted { $0.id < $1.id }
        var parameters = Parameters()
        parameters.append(sorted.map(\.id))
        parameters.append(sorted.map(\.token))
        parameters.append(leaseSeconds)
        parameters.append(JobLimits.cancelGraceSecondsStandard)
        var held: [HeldLease: RenewedLease] = [:]
        for row in try await hot.execute(Self.renewStatement, parameters) {
            let grace = try row.optionalInt4(2)
            held[HeldLease(id: try row.uuid(0), token: try row.int8(1))] =
                grace.map { .ending(graceSeconds: $0) } ?? .kept
        }
        return held
    }
}
