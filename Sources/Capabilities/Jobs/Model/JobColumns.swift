internal import Postgres

// The columns of a job, as it is inserted and as it is read. A new option of a job is a line in each of the two lists,
// beside its members in `NewJob` and `Job`.

// MARK: Inserted

/// The columns of a job without options, apart from its subqueue.
enum UniformColumns: BatchColumns {
    static let columns = ColumnBatch<InsertJobs.Item>([
        .uuid("id") { $0.id },
        .json("payload") { $0.job.payload },
    ])
}

/// The columns of a job without options.
enum PlainColumns: BatchColumns {
    /// Those of `job`.
    static let stored = UniformColumns.columns + ColumnBatch([.int4("subqueue_id") { $0.subqueue }])

    static let columns = stored + ColumnBatch([.int2("priority") { $0.job.priority }])
}

/// The columns of a job with options.
enum FullColumns: BatchColumns {
    static let columns = stored + start

    /// The columns of `job`, and their values, but for `created_at` and `unique_key`.
    static let storedNames: SQLFragment = "run_at, \(sql: stored.names)"
    static let storedValues: SQLFragment = "run_at, \(sql: stored.values)"

    /// Computed from the columns of a job `g`, which is created at `m.at`. A job whose `run_at` lies ahead goes to
    /// `scheduled`, by PostgreSQL's clock.
    static let derived: SQLFragment = """
        COALESCE(g.given_run_at, m.at + make_interval(secs => g.delay_seconds)) AS run_at,
        COALESCE(g.given_run_at > m.at, g.delay_seconds > 0, false) AS ahead,
        partition_key_of((SELECT queue_id FROM subqueue WHERE id = g.subqueue_id), g.concurrency_key) AS partition_key
        """

    /// What `run_at` is computed from.
    private static let start = ColumnBatch<InsertJobs.Item>([
        .timestamptz("given_run_at") { $0.job.runAt },
        .int4("delay_seconds") { $0.job.delaySeconds },
    ])

    private static let stored = PlainColumns.stored + options

    private static let options = ColumnBatch<InsertJobs.Item>([
        .int4("timeout_seconds") { $0.job.timeoutSeconds },
        .int2("max_attempts") { $0.job.maxAttempts },
        .text("backoff_kind", as: "backoff_kind") { $0.job.backoff.kindName },
        .float8("backoff_base_seconds") { $0.job.backoff.baseSeconds },
        .float8("backoff_max_seconds") { $0.job.backoff.maxSeconds },
        .textArray("tags") { $0.job.tags },
        .text("trace_parent") { $0.job.traceParent },
        .text("concurrency_key") { $0.job.concurrencyKey },
        .int4("cancel_grace_seconds") { $0.job.cancelGraceSeconds },
        .json("teardown") { $0.job.teardown },
    ])
}

/// The same with what decides which of the jobs are new (`deduplicate_jobs`, `0007_deduplication.sql`).
enum KeyedColumns: BatchColumns {
    static let columns = inserted + keys

    /// The columns that reach `job`.
    static let inserted = FullColumns.columns + ColumnBatch([.text("unique_key") { $0.job.uniqueKey }])

    private static let keys = ColumnBatch<InsertJobs.Item>([
        .int4("unique_seconds") { $0.job.uniqueSeconds },
        .text("request_key") { $0.slot?.request.key },
        .bytea("digest") { $0.slot?.request.digest },
        .uuid("request_id") { $0.slot?.requestID },
        .int4("place") { $0.slot?.number },
    ])

    /// The arguments of `deduplicate_jobs` after the instant.
    static let deduplicated = columns.parameters(
        "id", "subqueue_id", "trace_parent", "unique_key", "unique_seconds", "request_key", "digest", "request_id",
        "place")
}

// MARK: Read

/// The statement parts that read a job, given its id as `d.id`.
enum JobColumns {
    static let list = columns { column, _ in column }

    /// The same, without the large members that are not among `$5` (`JobMembers`): NULL stands for them.
    static let page = columns { "CASE WHEN $5 & \(sql: $1) <> 0 THEN \(sql: $0) END" }

    /// - Parameter large: gives the expression of a large member, from the column and the member's bit.
    private static func columns(_ large: (SQLFragment, SQLFragment) -> SQLFragment) -> ReadColumns<Job> {
        ReadColumns([
            ReadColumn("j.id", \.id),
            ReadColumn("q.name AS queue", \.queue),
            ReadColumn("t.name AS type", \.type),
            ReadColumn("b.priority", \.priority),
            ReadColumn("\(sql: status) AS status", \.status),
            ReadColumn("COALESCE(o.attempt, l.attempt, s.attempt, r.attempt)::int AS attempt", \.attempt),
            ReadColumn(
                """
                GREATEST(j.max_attempts, COALESCE(o.attempt, l.attempt, s.attempt + 1, r.attempt + 1))::int
                    AS max_attempts
                """, \.maxAttempts),
            ReadColumn("j.created_at", \.createdAt),
            ReadColumn("COALESCE(s.run_at, j.run_at, j.created_at) AS run_at", \.runAt),
            ReadColumn("COALESCE(o.started_at, l.leased_at) AS started_at", \.startedAt),
            ReadColumn("o.finished_at", \.finishedAt),
            ReadColumn("w.name AS worker", \.worker),
            ReadColumn("l.token AS lease_token", \.leaseToken),
            ReadColumn("l.expires_at AS lease_expires_at", \.leaseExpiresAt),
            ReadColumn("j.timeout_seconds", \.timeoutSeconds),
            ReadColumn("j.backoff_kind::text, j.backoff_base_seconds, j.backoff_max_seconds", \.backoff),
            ReadColumn("j.tags", \.tags, default: []),
            ReadColumn("j.trace_parent", \.traceParent),
            ReadColumn(large("j.payload", JobMembers.payload.bit), \.payload, default: []),
            ReadColumn(large("o.result", JobMembers.result.bit), \.result),
            ReadColumn(large("e.error", JobMembers.lastError.bit), \.lastError),
            ReadColumn("j.concurrency_key", \.concurrencyKey),
            ReadColumn(
                "j.cancel_grace_seconds", \.cancelGraceSeconds, default: JobLimits.cancelGraceSecondsStandard),
            ReadColumn(large("j.teardown", JobMembers.teardown.bit), \.teardown),
            ReadColumn("p.percent, p.message, p.reported_at", \.progress),
            ReadColumn("j.unique_key", \.uniqueKey),
        ])
    }

    /// The status of a job follows from the table that it is in. It is in one of four in every snapshot; a job that
    /// moves while the statement runs is seen where it was when the statement began. `subqueue_id` leads the indexes of
    /// `ready` and `outcome`.
    static let status: SQLFragment = """
        CASE WHEN o.id IS NOT NULL THEN o.status::text
             WHEN l.id IS NOT NULL THEN CASE WHEN l.cancel_requested_at IS NULL THEN 'running' ELSE 'ending' END
             WHEN s.id IS NOT NULL THEN 'scheduled'
             WHEN r.id IS NOT NULL THEN 'queued' END
        """

    /// `OFFSET 0` keeps each look-up apart from the join: after a VACUUM has seen a table empty, the planner would
    /// otherwise read all of it once instead of visiting one row, whatever it has grown to since. The progress of an
    /// earlier attempt is not that of the job.
    static let tables: SQLFragment = """
        JOIN job j ON j.id = ANY (ARRAY[d.id])
        LEFT JOIN LATERAL (SELECT * FROM ready WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) r ON true
        LEFT JOIN LATERAL (SELECT * FROM scheduled WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) s ON true
        LEFT JOIN LATERAL (SELECT * FROM lease WHERE id = j.id OFFSET 0) l ON true
        LEFT JOIN LATERAL (SELECT * FROM outcome WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) o ON true
        LEFT JOIN LATERAL (
            SELECT error FROM attempt_error WHERE id = j.id ORDER BY attempt DESC LIMIT 1) e ON true
        LEFT JOIN LATERAL (SELECT * FROM progress WHERE id = j.id OFFSET 0) p
            ON p.reported_at >= COALESCE(o.started_at, l.leased_at)
        JOIN subqueue b ON b.id = j.subqueue_id
        JOIN queue q ON q.id = b.queue_id
        JOIN type t ON t.id = b.type_id
        LEFT JOIN worker w ON w.id = COALESCE(o.worker_id, l.worker_id)
        """
}
