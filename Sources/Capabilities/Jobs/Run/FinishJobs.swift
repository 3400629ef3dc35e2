internal import JSON
public import Postgres

/// An attempt that has ended, with the lease under which it ran.
public struct FinishedAttempt: Sendable {
    public let lease: HeldLease
    public let result: AttemptResult

    public init(lease: HeldLease, result: AttemptResult) {
        self.lease = lease
        self.result = result
    }
}

/// What became of a job when its attempt was written down.
public enum FinishAnswer: Hashable, Sendable {
    case succeeded
    /// For good, or out of attempts.
    case failed
    /// It will be tried again, at once or later.
    case retried
    case snoozed
    /// Back in its queue, no attempt spent.
    case released
    /// It had been asked to stop, and has.
    case cancelled
    /// The lease was no longer ours: nothing was changed.
    case leaseLost
}

extension JobStore {
    /// Rows of one statement.
    public static let finishedMax = 1_000

    /// All succeeded: the common case, without a look at `job`. The fence is in the statement: a pair of id and token
    /// that is not in `lease` deletes nothing, and so writes nothing.
    private static let finishSucceeded = Statement(
        "finish_succeeded_jobs",
        """
        WITH done AS MATERIALIZED (
            DELETE FROM lease l
            USING unnest($1::uuid[], $2::bigint[], $3::json[]) AS g (id, token, result)
            WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
            RETURNING l.*, g.result),
        outcome_rows AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status, result)
            SELECT id, token, worker_id, leased_at, clock_timestamp(), subqueue_id, attempt, 'succeeded', result
            FROM done),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'succeeded'::job_transition, count(*) FROM done GROUP BY subqueue_id
            UNION ALL
            SELECT subqueue_id, 'completed_before_cancel', count(*) FROM done
            WHERE cancel_requested_at IS NOT NULL GROUP BY subqueue_id)
        SELECT id, token FROM done
        """, [.uuidArray, .int8Array, .jsonArray])

    /// Any results. Whether attempts are left and how long to wait is decided here, so that the rules are the same for
    /// whoever finishes a job. The outcome tells of jobs that have succeeded or failed; of all others an event does.
    private static let finishMixed = Statement(
        "finish_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        done AS MATERIALIZED (
            DELETE FROM lease l
            USING unnest($1::uuid[], $2::bigint[], $3::text[], $4::float8[], $5::json[])
                AS g (id, token, verdict, delay_seconds, detail)
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
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status, result)
            SELECT id, token, worker_id, leased_at, at, subqueue_id, attempt,
                   CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE transition::text END::job_status,
                   CASE transition WHEN 'succeeded' THEN detail END
            FROM decided WHERE transition IN ('succeeded', 'failed', 'cancelled_running')),
        error_rows AS (
            INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
            SELECT id, token, worker_id, leased_at, at, attempt, detail
            FROM decided WHERE transition IN ('failed', 'retried_now', 'retried_later') AND detail IS NOT NULL
            ON CONFLICT (id, attempt) DO UPDATE
            SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
                failed_at = EXCLUDED.failed_at, error = EXCLUDED.error),
        later AS (
            INSERT INTO scheduled (id, run_at, subqueue_id, attempt, partition_key)
            SELECT id, run_at, subqueue_id, attempt - (transition = 'snoozed')::int, partition_key
            FROM decided WHERE transition IN ('retried_later', 'snoozed')),
        again AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt, partition_key)
            SELECT id, at, subqueue_id, attempt - (transition = 'released')::int, partition_key
            FROM decided WHERE transition IN ('retried_now', 'released')),
        event_rows AS (
            INSERT INTO event (id, at, leased_at, worker_id, transition, attempt)
            SELECT id, at, leased_at, worker_id, transition, attempt - (transition IN ('snoozed', 'released'))::int
            FROM decided WHERE transition NOT IN ('succeeded', 'failed')),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, transition, count(*) FROM decided GROUP BY 1, 2
            UNION ALL
            SELECT subqueue_id, 'completed_before_cancel', count(*) FROM decided
            WHERE cancel_requested_at IS NOT NULL AND transition <> 'cancelled_running' GROUP BY subqueue_id)
        SELECT id, token, transition::text FROM decided
        """, [.uuidArray, .int8Array, .textArray, .float8Array, .jsonArray])

    /// Writes down how attempts ended, in one transaction, and answers each in its place.
    ///
    /// After an error with `isOutcomeUnknown` it may be called again with the same attempts: those that the first call
    /// has committed are then answered with `.leaseLost`.
    public func finish(_ attempts: [FinishedAttempt]) async throws(PostgresError) -> [FinishAnswer] {
        // In the order of the ids, so that two statements never wait for each other in a circle.
        let sorted = attempts.sorted { $0.lease.id < $1.lease.id }
        let allSucceeded = sorted.allSatisfy { if case .succeeded = $0.result { true } else { false } }
        var parameters = Parameters()
        parameters.appendArray(of: .uuid) { for attempt in sorted { $0.append(attempt.lease.id) } }
        parameters.appendArray(of: .int8) { for attempt in sorted { $0.append(attempt.lease.token) } }
        if !allSucceeded {
            parameters.appendArray(of: .text) { for attempt in sorted { $0.append(text: attempt.result.verdict) } }
            parameters.appendArray(of: .float8) { for attempt in sorted { $0.append(attempt.result.delaySeconds) } }
        }
        parameters.appendArray(of: .json) { for attempt in sorted { $0.append(bytes: attempt.result.detail) } }
        let rows = try await hot.execute(allSucceeded ? Self.finishSucceeded : Self.finishMixed, parameters)
        // By lease and not by job: one process may end a job under a lost lease and under the current one.
        var answers: [HeldLease: FinishAnswer] = [:]
        answers.reserveCapacity(rows.count)
        for row in rows {
            let lease = HeldLease(id: try row.uuid(0), token: try row.int8(1))
            answers[lease] = allSucceeded ? .succeeded : try FinishAnswer(transition: row.text(2))
        }
        return attempts.map { answers[$0.lease] ?? .leaseLost }
    }
}

extension FinishAnswer {
    fileprivate init(transition: String) throws(PostgresError) {
        switch transition {
        case "succeeded": self = .succeeded
        case "failed": self = .failed
        case "retried_now", "retried_later": self = .retried
        case "snoozed": self = .snoozed
        case "released": self = .released
        case "cancelled_running": self = .cancelled
        default: throw .unexpectedValue(column: 2, reason: "a job took the transition \(transition)")
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
