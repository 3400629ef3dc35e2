internal import JSON
public import Postgres

/// An attempt that has ended, and the lease under which it ran.
public struct FinishedAttempt: Sendable {
    public let lease: HeldLease
    public let result: AttemptResult

    public init(lease: HeldLease, result: AttemptResult) {
        self.lease = lease
        self.result = result
    }
}

/// What became of a job when the end of its attempt was recorded.
public enum FinishAnswer: Hashable, Sendable {
    case succeeded
    /// Failed for good, or out of attempts.
    case failed
    /// Will be tried again, at once or later.
    case retried
    case snoozed
    /// Back in its queue; no attempt was spent.
    case released
    /// It had been asked to stop, and has stopped.
    case cancelled
    /// The lease was no longer held: nothing was changed.
    case leaseLost
    /// Another transaction has locked the lease (`assert_lease`): nothing was changed, and the lease is still held.
    case locked
    /// The lease is gone after a try whose commit was not acknowledged: that try recorded the end, or the lease was
    /// lost before. No statement answers this; only a caller knows of its earlier tries.
    case unacknowledged
}

extension JobStore {
    /// Rows of one statement.
    public static let finishedMax = 1_000

    /// Besides the transitions, how many jobs ended by themselves although they had been asked to stop.
    private static func deltas(_ counts: SQLFragment, completedBeforeCancel rows: SQLFragment) -> SQLFragment {
        let completed = JobRows.counts(of: "'completed_before_cancel'", from: rows)
        return JobRows.deltas("\(sql: counts) UNION ALL \(sql: completed)")
    }

    /// All succeeded: the common case, without a look at `job`. The fence is in the statement: a pair of id and token
    /// that is not in `lease` deletes nothing, and so writes nothing.
    private static let finishSucceeded = Statement<Batch<SucceededColumns>>(
        "finish_succeeded_jobs",
        """
        WITH done AS MATERIALIZED (
            DELETE FROM lease l
            USING \(sql: SucceededColumns.columns.unnest())
            WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
            RETURNING l.*, g.result),
        outcome_rows AS (
            \(sql: JobRows.outcomes(from: "done", at: "clock_timestamp()", status: "'succeeded'", result: "result"))),
        delta_rows AS (
            \(sql: deltas(
                JobRows.counts(of: "'succeeded'::job_transition", from: "done"),
                completedBeforeCancel: "done WHERE cancel_requested_at IS NOT NULL")))
        SELECT id, token FROM done
        """)

    /// Any results. Whether attempts are left and how long to wait is decided here, so that the rules are the same for
    /// every program that finishes a job. The outcome shows how jobs succeeded or failed; an event shows all other
    /// ends.
    private static let finishMixed = Statement<Batch<MixedColumns>>(
        "finish_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        done AS MATERIALIZED (
            DELETE FROM lease l
            USING \(sql: MixedColumns.columns.unnest())
            WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
            RETURNING l.*, g.verdict, g.delay_seconds, g.detail),
        decided AS MATERIALIZED (
            SELECT d.*, m.at,
                   CASE WHEN d.verdict IN ('succeeded', 'failed') THEN d.verdict
                        WHEN d.cancel_requested_at IS NOT NULL THEN 'cancelled_running'
                        WHEN d.verdict = 'snoozed' THEN
                            CASE WHEN d.delay_seconds > 0 THEN 'snoozed' ELSE 'released' END
                        WHEN d.verdict = 'retry' THEN
                            CASE WHEN d.attempt >= j.max_attempts THEN 'failed'
                                 WHEN w.wait > interval '0' THEN 'retried_later'
                                 ELSE 'retried_now' END
                        ELSE 'released' END::job_transition AS transition,
                   m.at + w.wait AS run_at
            FROM done d
            CROSS JOIN moment m
            JOIN job j ON j.id = ANY (ARRAY[d.id])
            CROSS JOIN LATERAL (SELECT CASE
                WHEN d.delay_seconds IS NOT NULL THEN make_interval(secs => d.delay_seconds)
                WHEN d.verdict = 'retry' THEN
                    retry_delay(j.backoff_kind, j.backoff_base_seconds, j.backoff_max_seconds, d.attempt)
                END AS wait OFFSET 0) w),
        outcome_rows AS (
            \(sql: JobRows.outcomes(
                from: "decided WHERE transition IN ('succeeded', 'failed', 'cancelled_running')",
                status: """
                    CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE transition::text END::job_status
                    """,
                result: "CASE transition WHEN 'succeeded' THEN detail END"))),
        error_rows AS (
            \(sql: JobRows.errors(
                from: "decided WHERE transition IN ('failed', 'retried_now', 'retried_later') AND detail IS NOT NULL",
                error: "detail"))),
        later AS (
            \(sql: JobRows.scheduled(
                from: "decided WHERE transition IN ('retried_later', 'snoozed')",
                attempt: "attempt - (transition = 'snoozed')::int"))),
        again AS (
            \(sql: JobRows.ready(
                from: "decided WHERE transition IN ('retried_now', 'released')",
                attempt: "attempt - (transition = 'released')::int"))),
        event_rows AS (
            \(sql: JobRows.events(
                from: "decided WHERE transition NOT IN ('succeeded', 'failed')",
                attempt: "attempt - (transition IN ('snoozed', 'released'))::int"))),
        delta_rows AS (
            \(sql: deltas(
                JobRows.counts(from: "decided"),
                completedBeforeCancel:
                    "decided WHERE cancel_requested_at IS NOT NULL AND transition <> 'cancelled_running'")))
        SELECT id, token, transition::text FROM decided
        """)

    /// Records how attempts ended, in one transaction, and answers each in its place.
    ///
    /// After an error with `isOutcomeUnknown` it may be called again with the same attempts: those that the first call
    /// has committed are then answered with `.leaseLost`.
    ///
    /// Attempts whose leases other transactions have locked are answered with `.locked`. To find them costs two more
    /// statements, which are executed only after the first one has met a lock.
    public func finish(_ attempts: [FinishedAttempt]) async throws(PostgresError) -> [FinishAnswer] {
        do throws(PostgresError) {
            return try await finishAll(attempts)
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            return try await finishUnlocked(attempts)
        }
    }

    /// How often the leases that are not locked are looked up, if others are locked at once.
    private static let unlockedTriesMax = 3

    private static let unlockedStatement = Statement<Batch<LeaseColumns>>(
        "find_unlocked_leases",
        """
        SELECT l.id, l.token
        FROM \(sql: LeaseColumns.columns.unnest())
        CROSS JOIN LATERAL (SELECT id, token FROM lease WHERE id = g.id AND token = g.token FOR UPDATE SKIP LOCKED) l
        """, isIdempotent: true)

    private static let heldStatement = Statement<Batch<LeaseColumns>>(
        "find_held_leases",
        """
        SELECT l.id, l.token
        FROM \(sql: LeaseColumns.columns.unnest())
        CROSS JOIN LATERAL (SELECT id, token FROM lease WHERE id = g.id AND token = g.token OFFSET 0) l
        """, isIdempotent: true)

    /// The leases that are still held under their tokens, locked or not.
    func held(_ leases: [HeldLease]) async throws(PostgresError) -> Set<HeldLease> {
        Set(try await hot.execute(Self.heldStatement(LeaseColumns.batch(leases))).decode(as: HeldLease.self))
    }

    /// The same as `finish`, for attempts some of which were locked before: waits for no lock.
    public func finishUnlocked(_ attempts: [FinishedAttempt]) async throws(PostgresError) -> [FinishAnswer] {
        for triesLeft in (0..<Self.unlockedTriesMax).reversed() {
            let leases = LeaseColumns.batch(attempts.map(\.lease))
            let unlocked = Set(
                try await hot.execute(Self.unlockedStatement(leases), lockWait: .once).decode(as: HeldLease.self))
            let rest = attempts.map(\.lease).filter { !unlocked.contains($0) }
            let held = rest.isEmpty ? [] : try await self.held(rest)
            var finished: [HeldLease: FinishAnswer] = [:]
            let free = attempts.filter { unlocked.contains($0.lease) }
            do throws(PostgresError) {
                for (attempt, answer) in zip(free, free.isEmpty ? [] : try await finishAll(free)) {
                    finished[attempt.lease] = answer
                }
            } catch {
                // A lease was locked since.
                guard error.sqlState == .lockNotAvailable, triesLeft > 0 else { throw error }
                continue
            }
            return attempts.map { finished[$0.lease] ?? (held.contains($0.lease) ? .locked : .leaseLost) }
        }
        throw .misuse("there is no last try")
    }

    private func finishAll(_ attempts: [FinishedAttempt]) async throws(PostgresError) -> [FinishAnswer] {
        // In the order of the ids, so that two statements never wait for each other in a circle.
        let sorted = attempts.sorted { $0.lease.id < $1.lease.id }
        // By lease and not by job: one process may end a job under a lost lease and under the current one.
        var answers: [HeldLease: FinishAnswer] = [:]
        answers.reserveCapacity(attempts.count)
        if sorted.allSatisfy({ if case .succeeded = $0.result { true } else { false } }) {
            let rows = try await hot.execute(Self.finishSucceeded(Batch(sorted)), lockWait: .once)
            for lease in try rows.decode(as: HeldLease.self) { answers[lease] = .succeeded }
        } else {
            let rows = try await hot.execute(Self.finishMixed(Batch(sorted)), lockWait: .once)
            for row in try rows.decode(as: FinishedRow.self) { answers[row.lease] = row.answer }
        }
        return attempts.map { answers[$0.lease] ?? .leaseLost }
    }
}

private enum SucceededColumns: BatchColumns {
    static let columns = MixedColumns.lease + MixedColumns.detail("result")
}

private enum MixedColumns: BatchColumns {
    static let lease = ColumnBatch<FinishedAttempt>([
        .uuid("id") { $0.lease.id },
        .int8("token") { $0.lease.token },
    ])

    static func detail(_ name: SQLFragment) -> ColumnBatch<FinishedAttempt> {
        ColumnBatch([.json(name) { $0.result.detail }])
    }

    static let columns =
        lease
        + ColumnBatch<FinishedAttempt>([
            .text("verdict") { $0.result.verdict },
            .float8("delay_seconds") { $0.result.delaySeconds },
        ]) + detail("detail")
}

private struct FinishedRow: RowDecodable {
    let lease: HeldLease
    let answer: FinishAnswer

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        lease = try HeldLease(&columns)
        answer = try columns.next(parsing: FinishAnswer.init(transition:))
    }
}

extension FinishAnswer {
    fileprivate init?(transition: String) {
        switch transition {
        case "succeeded": self = .succeeded
        case "failed": self = .failed
        case "retried_now", "retried_later": self = .retried
        case "snoozed": self = .snoozed
        case "released": self = .released
        case "cancelled_running": self = .cancelled
        default: return nil
        }
    }
}

extension AttemptResult {
    fileprivate var verdict: String {
        switch self {
        case .succeeded: "succeeded"
        case .retry: "retry"
        case .failed: "failed"
        case .snoozed: "snoozed"
        case .released: "released"
        }
    }

    fileprivate var delaySeconds: Double? {
        switch self {
        case .retry(_, let seconds): seconds
        case .snoozed(let seconds): seconds
        case .succeeded, .failed, .released: nil
        }
    }

    /// The result, or the document of the error.
    fileprivate var detail: [UInt8]? {
        switch self {
        case .succeeded(let result): return result
        case .retry(let error, _), .failed(let error):
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("message", error)
            writer.endObject()
            return writer.finish()
        case .snoozed, .released: return nil
        }
    }
}
