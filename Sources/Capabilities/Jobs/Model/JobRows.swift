internal import Postgres

/// The INSERTs that several statements share: the rows that a transition of a job leaves behind.
///
/// Each reads a CTE whose columns have the names of the tables: `id`, `subqueue_id`, `attempt`, `partition_key`, of a
/// job that ran also `token`, `worker_id` and `leased_at`; and `at`, the instant of the statement. Where a CTE lacks a
/// column, or another value is to be stored, the argument of that name gives an expression.
///
/// Each statement takes one instant for all of its rows, so that a job's event, outcome and error agree.
enum JobRows {
    /// Rows of `ready`: jobs that may be leased now. `ready.seq` is drawn as the rows are inserted, so they stand
    /// behind everything that waits already.
    static func ready(
        from rows: SQLFragment, at: SQLFragment = "at", attempt: SQLFragment = "attempt"
    ) -> SQLFragment {
        """
        INSERT INTO ready (id, ready_at, subqueue_id, attempt, partition_key, priority)
        SELECT id, \(sql: at), subqueue_id, \(sql: attempt), partition_key,
               (SELECT b.priority FROM subqueue b WHERE b.id = subqueue_id)
        FROM \(sql: rows)
        """
    }

    /// Rows of `scheduled`: jobs whose `run_at` lies ahead.
    static func scheduled(from rows: SQLFragment, attempt: SQLFragment = "attempt") -> SQLFragment {
        """
        INSERT INTO scheduled (id, run_at, subqueue_id, attempt, partition_key)
        SELECT id, run_at, subqueue_id, \(sql: attempt), partition_key FROM \(sql: rows)
        """
    }

    /// Rows of `outcome`: jobs that ended while they were leased. The token and the worker stay with the outcome, since
    /// the lease that held them is deleted by the same statement.
    static func outcomes(
        from rows: SQLFragment, at: SQLFragment = "at", status: SQLFragment, result: SQLFragment = "NULL"
    ) -> SQLFragment {
        """
        INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status, result)
        SELECT id, token, worker_id, leased_at, \(sql: at), subqueue_id, attempt, \(sql: status), \(sql: result)
        FROM \(sql: rows)
        """
    }

    /// Rows of `attempt_error`: why attempts failed. An upsert, because a number of an attempt can recur: a job that is
    /// released or snoozed spends no attempt, and one that is retried after its last attempt may fail again under a
    /// number that has a row. The latest failure is the one that is kept.
    static func errors(from rows: SQLFragment, error: SQLFragment) -> SQLFragment {
        """
        INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
        SELECT id, token, worker_id, leased_at, at, attempt, \(sql: error) FROM \(sql: rows)
        ON CONFLICT (id, attempt) DO UPDATE
        SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
            failed_at = EXCLUDED.failed_at, error = EXCLUDED.error
        """
    }

    /// Rows of `event`: transitions that no other row shows (`0003_transitions.sql`).
    static func events(
        from rows: SQLFragment, at: SQLFragment = "at", leasedAt: SQLFragment = "leased_at",
        worker: SQLFragment = "worker_id", transition: SQLFragment = "transition", attempt: SQLFragment = "attempt",
        actor: SQLFragment = "NULL", reason: SQLFragment = "NULL"
    ) -> SQLFragment {
        """
        INSERT INTO event (id, at, leased_at, worker_id, transition, attempt, actor, reason)
        SELECT id, \(sql: at), \(sql: leasedAt), \(sql: worker), \(sql: transition), \(sql: attempt), \(sql: actor),
               \(sql: reason)
        FROM \(sql: rows)
        """
    }

    /// Rows of `transition_delta`: how many jobs took each transition. Insert-only, one row for each subqueue and
    /// transition of a statement, so that no two statements wait for each other. `counts` is a `counts(...)`, or
    /// several joined by UNION ALL.
    static func deltas(_ counts: SQLFragment) -> SQLFragment {
        """
        INSERT INTO transition_delta (subqueue_id, transition, n)
        \(sql: counts)
        """
    }

    /// The jobs of a CTE that has a `transition`, by subqueue and transition.
    static func counts(from rows: SQLFragment, transition: SQLFragment = "transition") -> SQLFragment {
        "SELECT subqueue_id, \(sql: transition), count(*) FROM \(sql: rows) GROUP BY 1, 2"
    }

    /// The jobs of a CTE, which all took one transition, by subqueue. A constant is no grouping column: PostgreSQL
    /// would take it for a text.
    static func counts(of transition: SQLFragment, from rows: SQLFragment) -> SQLFragment {
        "SELECT subqueue_id, \(sql: transition), count(*) FROM \(sql: rows) GROUP BY subqueue_id"
    }
}
