public import Postgres
public import Values

/// The result of one promotion statement.
public struct PromotionBatch: Sendable {
    /// Number of jobs that may be leased now.
    public let count: Int
    /// PostgreSQL's clock, after the statement.
    public let moment: WallInstant
    /// When the next scheduled job is due; nil if there is none.
    public let nextDue: WallInstant?
}

extension JobStore {
    /// In the order of their times, since `ready.seq` is drawn as the rows are inserted. `ready_at` is the job's
    /// `run_at`, so that a late promotion shows in the wait.
    static let promote = Statement<Int32, WallInstant>(
        "promote_jobs",
        """
        WITH due AS MATERIALIZED (
            DELETE FROM scheduled WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM scheduled
                WHERE run_at >= $2 AND run_at <= (SELECT clock_timestamp())
                ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING id, run_at, subqueue_id, attempt, partition_key),
        queued AS (
            \(sql: JobRows.ready(from: "due ORDER BY run_at, id", at: "run_at"))),
        event_rows AS (
            \(sql: JobRows.events(
                from: "due", at: "clock_timestamp()", leasedAt: "NULL", worker: "NULL", transition: "'promoted'"))),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(of: "'promoted'", from: "due"))))
        SELECT subqueue_id, count(*) FROM due GROUP BY subqueue_id
        """)

    /// Besides the next due time, whether any worker sleeps and should be notified.
    private static let nextDue = Statement<WallInstant>(
        "next_due_job",
        """
        SELECT clock_timestamp(), (SELECT run_at FROM scheduled WHERE run_at >= $1 ORDER BY run_at LIMIT 1),
               EXISTS (SELECT FROM worker WHERE waiting AND expires_at > clock_timestamp())
        """, isIdempotent: true)

    /// Makes scheduled jobs ready whose time has come, earliest first, and notifies the workers that wait.
    ///
    /// When the outcome is unknown nothing needs to be done: jobs that were not promoted are found again.
    /// - Parameters:
    ///   - limit: maximum number of jobs; fewer mean that no more were due.
    ///   - lowerBound: jobs that were due before it are not read (`ScanCursor`).
    public func promoteDue(
        atMost limit: Int32, from lowerBound: WallInstant
    ) async throws(PostgresError) -> PromotionBatch {
        let answers = try await hot.executeGroup([Self.promote(limit, lowerBound), Self.nextDue(lowerBound)])
        let (moment, nextDue, isAnyoneWaiting) = try answers[1].decodeOnly((WallInstant, WallInstant?, Bool).self)
        let promoted = try answers[0].decode((Int32, Int64).self)
        if !promoted.isEmpty, isAnyoneWaiting { try await notifyWorkers(ofSubqueues: promoted.map { $0.0 }) }
        return PromotionBatch(count: promoted.reduce(0) { $0 + Int($1.1) }, moment: moment, nextDue: nextDue)
    }

    private func notifyWorkers(ofSubqueues ids: [Int32]) async throws(PostgresError) {
        guard let notifier else { return }
        try await subqueues.load(ids, on: hot)
        notifier.notify(Set(ids.compactMap { subqueues.subqueue($0)?.queue }))
    }
}
