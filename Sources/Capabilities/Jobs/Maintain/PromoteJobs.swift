public import Postgres
internal import Telemetry
public import Values

/// What one statement has promoted.
public struct PromotionBatch: Sendable {
    /// Jobs that may be leased now.
    public let count: Int
    /// PostgreSQL's clock, after the statement.
    public let moment: WallInstant
    /// When the next of the jobs that wait is due; nil if none waits.
    public let nextDue: WallInstant?
}

extension JobStore {
    /// In the order of their times, since `ready.seq` is drawn as the rows are inserted. `ready_at` is the time that the
    /// job had asked for, so that a late promotion shows in the wait.
    static let promote = Statement(
        "promote_jobs",
        """
        WITH due AS MATERIALIZED (
            DELETE FROM scheduled WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM scheduled
                WHERE run_at >= $2 AND run_at <= (SELECT clock_timestamp())
                ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING id, run_at, subqueue_id, attempt, partition_key),
        queued AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt, partition_key)
            SELECT id, run_at, subqueue_id, attempt, partition_key FROM due ORDER BY run_at, id),
        event_rows AS (
            INSERT INTO event (id, at, transition, attempt)
            SELECT id, clock_timestamp(), 'promoted', attempt FROM due),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'promoted', count(*) FROM due GROUP BY subqueue_id)
        SELECT subqueue_id, count(*) FROM due GROUP BY subqueue_id
        """, [.int4, .timestamptz])

    /// Besides the next due time, whether any worker sleeps and should be notified.
    private static let nextDue = Statement(
        "next_due_job",
        """
        SELECT clock_timestamp(), (SELECT run_at FROM scheduled WHERE run_at >= $1 ORDER BY run_at LIMIT 1),
               EXISTS (SELECT FROM worker WHERE waiting AND expires_at > clock_timestamp())
        """, [.timestamptz], isIdempotent: true)

    /// Moves jobs whose time has come to those that may be leased, earliest first, and notifies the workers that wait.
    ///
    /// When the outcome is unknown nothing needs to be done: what was promoted is, what was not is found again.
    /// - Parameters:
    ///   - limit: at most so many; fewer mean that no more were due.
    ///   - lowerBound: jobs that were due before it are not looked for (`ScanCursor`).
    public func promoteDue(
        atMost limit: Int32, from lowerBound: WallInstant
    ) async throws(PostgresError) -> PromotionBatch {
        var bounds = Parameters()
        bounds.append(limit)
        bounds.append(lowerBound)
        var horizon = Parameters()
        horizon.append(lowerBound)
        let answers = try await hot.executeGroup([(Self.promote, bounds), (Self.nextDue, horizon)])
        let next = try answers[1].onlyRow()
        var promoted: [Int32] = []
        var count = 0
        for row in answers[0] {
            promoted.append(try row.int4(0))
            count += Int(try row.int8(1))
        }
        if !promoted.isEmpty, try next.bool(2) { try await notifyWorkers(ofSubqueues: promoted) }
        return PromotionBatch(
            count: count, moment: try next.timestamptz(0), nextDue: try next.optionalTimestamptz(1))
    }

    private func notifyWorkers(ofSubqueues ids: [Int32]) async throws(PostgresError) {
        guard let notifier else { return }
        try await subqueues.load(ids, on: hot)
        notifier.notify(Set(ids.compactMap { subqueues.subqueue($0)?.queue }))
    }
}
