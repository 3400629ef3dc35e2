public import Postgres

/// The state of a lease that was renewed.
public enum RenewedLease: Hashable, Sendable {
    case kept
    /// Another transaction has locked the row, so it was not renewed. The lease is still held.
    case locked
    /// The job was asked to stop. Force is used after this number of seconds.
    case ending(graceSeconds: Int32)
}

extension JobStore {
    /// By pairs of id and token, in the order of the ids, so that two statements never wait for each other in a circle.
    /// Leases that other transactions have locked are skipped: they must not delay the renewal of the others.
    private static let renewStatement = Statement<Batch<LeaseColumns>, Double, Int32>(
        "renew_leases",
        """
        WITH given AS MATERIALIZED (
            SELECT id, token FROM \(sql: LeaseColumns.columns.unnest()) ORDER BY id),
        unlocked AS MATERIALIZED (
            SELECT l.id FROM given g
            CROSS JOIN LATERAL (
                SELECT id FROM lease l WHERE l.id = g.id AND l.token = g.token FOR NO KEY UPDATE SKIP LOCKED) l)
        UPDATE lease l SET expires_at = clock_timestamp() + make_interval(secs => $3)
        FROM unlocked u
        WHERE l.id = ANY (ARRAY[u.id])
        RETURNING l.id, l.token,
                  CASE WHEN l.cancel_requested_at IS NOT NULL THEN COALESCE(
                      (SELECT cancel_grace_seconds FROM job WHERE id = l.id), $4) END
        """, isIdempotent: true)

    /// Extends leases to `leaseSeconds` from now, by PostgreSQL's clock. The answer has each lease that was still held;
    /// the others are lost. By lease and not by job: one process may hold a job under a lost lease and under the
    /// current one.
    public func renew(
        _ leases: [HeldLease], leaseSeconds: Double
    ) async throws(PostgresError) -> [HeldLease: RenewedLease] {
        let rows = try await hot.execute(
            Self.renewStatement(LeaseColumns.batch(leases), leaseSeconds, JobLimits.cancelGraceSecondsStandard))
        var held: [HeldLease: RenewedLease] = [:]
        for (lease, grace) in try rows.decode((HeldLease, Int32?).self) {
            held[lease] = grace.map { .ending(graceSeconds: $0) } ?? .kept
        }
        let missing = leases.filter { held[$0] == nil }
        if !missing.isEmpty {
            for lease in try await self.held(missing) { held[lease] = .locked }
        }
        return held
    }
}
