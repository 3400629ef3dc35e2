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
        kept AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, band_id, attempt, status, result)
            SELECT id, token, worker_id, leased_at, clock_timestamp(), band_id, attempt, 'succeeded', result
            FROM done),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, 'succeeded'::job_step, count(*) FROM done GROUP BY band_id
            UNION ALL
            SELECT band_id, 'stop_outrun', count(*) FROM done
            WHERE cancel_requested_at IS NOT NULL GROUP BY band_id)
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
        judged AS MATERIALIZED (
            SELECT d.*, m.at,
                   CASE WHEN d.verdict IN ('succeeded', 'failed') THEN d.verdict
                        WHEN d.cancel_requested_at IS NOT NULL THEN 'stopped'
                        WHEN d.verdict = 'snoozed' THEN
                            CASE WHEN d.delay_seconds > 0 THEN 'snoozed' ELSE 'released' END
                        WHEN d.verdict = 'retry' THEN
                            CASE WHEN d.attempt >= j.max_attempts THEN 'failed'
                                 WHEN w.wait > interval '0' THEN 'retried_later'
                                 ELSE 'retried_now' END
                        ELSE 'released' END::job_step AS step,
                   m.at + w.wait AS run_at
            FROM done d
            CROSS JOIN moment m
            JOIN job j ON j.id = ANY (ARRAY[d.id])
            CROSS JOIN LATERAL (SELECT CASE
                WHEN d.delay_seconds IS NOT NULL THEN make_interval(secs => d.delay_seconds)
                WHEN d.verdict = 'retry' THEN
                    retry_delay(j.backoff_kind, j.backoff_base_seconds, j.backoff_max_seconds, d.attempt)
                END AS wait OFFSET 0) w),
        kept AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, band_id, attempt, status, result)
            SELECT id, token, worker_id, leased_at, at, band_id, attempt,
                   CASE step WHEN 'stopped' THEN 'cancelled' ELSE step::text END::job_status,
                   CASE step WHEN 'succeeded' THEN detail END
            FROM judged WHERE step IN ('succeeded', 'failed', 'stopped')),
        explained AS (
            INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
            SELECT id, token, worker_id, leased_at, at, attempt, detail
            FROM judged WHERE step IN ('failed', 'retried_now', 'retried_later') AND detail IS NOT NULL
            ON CONFLICT (id, attempt) DO UPDATE
            SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
                failed_at = EXCLUDED.failed_at, error = EXCLUDED.error),
        later AS (
            INSERT INTO scheduled (id, run_at, band_id, attempt, lane)
            SELECT id, run_at, band_id, attempt - (step = 'snoozed')::int, lane
            FROM judged WHERE step IN ('retried_later', 'snoozed')),
        again AS (
            INSERT INTO ready (id, ready_at, band_id, attempt, lane)
            SELECT id, at, band_id, attempt - (step = 'released')::int, lane
            FROM judged WHERE step IN ('retried_now', 'released')),
        told AS (
            INSERT INTO event (id, at, leased_at, worker_id, step, attempt)
            SELECT id, at, leased_at, worker_id, step, attempt - (step IN ('snoozed', 'released'))::int
            FROM judged WHERE step NOT IN ('succeeded', 'failed')),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, step, count(*) FROM judged GROUP BY 1, 2
            UNION ALL
            SELECT band_id, 'stop_outrun', count(*) FROM judged
            WHERE cancel_requested_at IS NOT NULL AND step <> 'stopped' GROUP BY band_id)
        SELECT id, token, step::text FROM judged
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
            answers[lease] = allSucceeded ? .succeeded : try FinishAnswer(step: row.text(2))
        }
        return attempts.map { answers[$0.lease] ?? .leaseLost }
    }
}

extension FinishAnswer {
    fileprivate init(step: String) throws(PostgresError) {
        switch step {
        case "succeeded": self = .succeeded
        case "failed": self = .failed
        case "retried_now", "retried_later": self = .retried
        case "snoozed": self = .snoozed
        case "released": self = .released
        case "stopped": self = .cancelled
        default: throw .unexpectedValue(column: 2, reason: "a job took the step \(step)")
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
        case .interrupted: "released"
        }
    }

    fileprivate var delaySeconds: Double? {
        switch self {
        case .retry(_, let seconds): seconds
        case .snoozed(let seconds): seconds
        case .succeeded, .failed, .interrupted: nil
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
        case .snoozed, .interrupted: return nil
        }
    }
}
