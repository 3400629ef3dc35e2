internal import Postgres
internal import Values

/// What `WaitReason` needs to explain why a job does not run.
struct JobFacts: Sendable {
    var status = JobStatus.queued
    var queue = ""
    var type = ""
    var concurrencyKey: String?
    /// PostgreSQL's clock.
    var now = WallInstant.earliest
    /// Of a scheduled job.
    var runAt: WallInstant?
    /// Of a job that runs or has run.
    var worker: String?
    /// Of a job that runs: what its lease and its worker say.
    var hold: LeaseHold?
    var startedAt: WallInstant?
    var finishedAt: WallInstant?
    /// Its queue's limit, if it is reached, and the jobs that use it up.
    var fullQueue: FullLimit?
    /// The same for its concurrency key.
    var fullKey: FullLimit?
    /// When the rate of its queue allows the next start, if none may start now.
    var nextStart: WallInstant?
    /// Live workers that serve its queue; of those, the ones that have a handler for its type; of those, the ones that
    /// run fewer jobs than they can.
    var workersOfQueue: Int64 = 0
    var workersOfType: Int64 = 0
    var workersIdle: Int64 = 0
    /// Of those with a handler, the ones that their own control file pauses.
    var workersPaused: Int64 = 0
    /// Ready jobs that go before it, counted to `aheadMax` + 1.
    var ahead: Int64 = 0
    /// Other fairness keys in its group, counted to `keysMax`.
    var otherKeys: Int64 = 0

    /// Bounds of the two counts.
    static let aheadMax: Int64 = 10_000
    static let keysMax: Int64 = 1_000

    /// A limit of jobs that run at once, and some of the jobs that use it up.
    struct FullLimit: Equatable, Sendable {
        let most: Int32
        let holders: [UUID]
    }
}

/// These statements may read much: they answer people, and are rare.
extension JobStore {
    /// With ten holders of a limit at most.
    private static let factsStatement = Statement<UUID>(
        "job_facts",
        """
        SELECT \(sql: JobColumns.status),
               q.name, t.name, j.concurrency_key, clock_timestamp(), s.run_at, w.name,
               COALESCE(o.started_at, l.leased_at), o.finished_at,
               q.max_running, (queue_held.n >= q.max_running), queue_held.ids,
               q.max_running_per_key, (key_held.n >= q.max_running_per_key), key_held.ids,
               CASE WHEN rate_capacity(q, NULL) <= 0 THEN next_start(q) END,
               v.of_queue, v.of_type, v.idle, v.paused,
               l.expires_at, CASE WHEN w.deregistered_at IS NOT NULL THEN 'dead'
                                  WHEN w.expires_at <= clock_timestamp() THEN 'silent'
                                  WHEN w.id IS NOT NULL THEN 'alive' END,
               w.heartbeat_at, q.keeps_leases OR handles_type(COALESCE(w.kept_types, '{}'), t.name)
        FROM (SELECT $1::uuid AS id) d
        \(sql: JobColumns.tables)
        CROSS JOIN LATERAL (
            SELECT count(*) AS n, (array_agg(x.id ORDER BY x.leased_at, x.id))[1:10] AS ids
            FROM lease x WHERE x.queue_id = q.id AND q.max_running IS NOT NULL) queue_held
        CROSS JOIN LATERAL (
            SELECT count(*) AS n, (array_agg(x.id ORDER BY x.leased_at, x.id))[1:10] AS ids
            FROM lease x
            WHERE x.partition_key = COALESCE(r.partition_key, s.partition_key)
              AND q.max_running_per_key IS NOT NULL) key_held
        CROSS JOIN LATERAL (
            SELECT count(*) AS of_queue, count(*) FILTER (WHERE handles_type(k.types, t.name)) AS of_type,
                   count(*) FILTER (WHERE handles_type(k.types, t.name) AND COALESCE(h.n, 0) < k.concurrency
                                          AND NOT k.paused_by_file) AS idle,
                   count(*) FILTER (WHERE handles_type(k.types, t.name) AND k.paused_by_file) AS paused
            FROM worker k
            LEFT JOIN (SELECT worker_id, count(*) AS n FROM lease GROUP BY worker_id) h ON h.worker_id = k.id
            WHERE k.deregistered_at IS NULL AND k.expires_at > clock_timestamp()
              AND (k.queues IS NULL OR q.name = ANY (k.queues))) v
        """, isIdempotent: true)

    /// The jobs that go before a waiting job. The order is that of `LeaseJobs.swift` and `0008_fairness.sql`: by
    /// priority, then by age. While restricted subqueues have work, age counts only among jobs of its own fairness key
    /// and jobs of other fairness groups. Subqueues count if a worker that takes this job takes them too (`taken`: a
    /// pair without a queue or a type stands for all), unless their queue is full.
    ///
    /// Each use of the competing subqueues is planned for itself (so they may call no volatile function), and the count
    /// ends at its limit. It reads one row of `ready` for each of them, and then only rows that go before.
    private static let positionStatement = Statement<UUID, Int32, Int32>(
        "job_place",
        """
        WITH waiting AS MATERIALIZED (
            SELECT w.seq, w.partition_key, b.id AS subqueue_id, b.priority, b.queue_id, q.limited,
                   q.max_running_per_key, q.name AS queue, t.name AS type
            FROM job j
            CROSS JOIN LATERAL (
                SELECT seq, partition_key FROM ready WHERE subqueue_id = j.subqueue_id AND id = j.id
                UNION ALL
                SELECT 9223372036854775807, partition_key FROM scheduled
                WHERE subqueue_id = j.subqueue_id AND id = j.id) w
            JOIN subqueue b ON b.id = j.subqueue_id
            JOIN queue q ON q.id = b.queue_id
            JOIN type t ON t.id = b.type_id
            WHERE j.id = $1),
        taker AS MATERIALIZED (
            SELECT DISTINCT k.queues, k.types FROM worker k, waiting w
            WHERE k.deregistered_at IS NULL AND k.expires_at > clock_timestamp()
              AND (k.queues IS NULL OR w.queue = ANY (k.queues)) AND handles_type(k.types, w.type)),
        taken AS MATERIALIZED (
            SELECT DISTINCT q.id AS queue_id, t.id AS type_id
            FROM taker k
            JOIN type t ON handles_type(k.types, t.name)
            LEFT JOIN queue q ON q.name = ANY (k.queues)
            WHERE k.queues IS NULL OR q.id IS NOT NULL
            UNION ALL
            SELECT w.queue_id, NULL FROM waiting w WHERE NOT EXISTS (SELECT FROM taker)),
        competing_subqueue AS NOT MATERIALIZED (
            SELECT b.id, b.priority, h.seq AS head_seq, b.keyed, b.unrestricted, q.max_running_per_key AS most,
                   b.queue_id, b.queue_id <> w.queue_id AND q.limited AS is_limited,
                   b.priority = w.priority AND CASE WHEN w.limited THEN b.queue_id = w.queue_id ELSE NOT q.limited END
                       AS in_group
            FROM waiting w, subqueue b
            JOIN ready_head h ON h.subqueue_id = b.id
            JOIN queue q ON q.id = b.queue_id
            WHERE b.priority <= w.priority
              AND (b.type_id IN (SELECT type_id FROM taken WHERE queue_id IS NULL)
                   OR (b.queue_id, b.type_id) IN (SELECT queue_id, type_id FROM taken WHERE type_id IS NOT NULL)
                   OR b.queue_id IN (SELECT queue_id FROM taken WHERE type_id IS NULL))),
        fairness AS MATERIALIZED (SELECT EXISTS (SELECT FROM competing_subqueue WHERE NOT unrestricted) AS is_on),
        before AS (
            SELECT FROM waiting w, fairness, competing_subqueue v
            CROSS JOIN LATERAL (
                SELECT FROM ready x
                WHERE x.priority = v.priority AND x.subqueue_id = v.id AND x.seq >= v.head_seq
                  AND x.seq < CASE WHEN v.priority < w.priority THEN 9223372036854775807 ELSE w.seq END
                  AND (v.priority < w.priority OR NOT fairness.is_on OR NOT v.in_group
                       OR x.partition_key = w.partition_key
                       OR w.partition_key IS NULL AND v.id = w.subqueue_id)
                  AND (v.most IS NULL OR x.partition_key IS NULL OR x.partition_key IS NOT DISTINCT FROM w.partition_key
                       OR (SELECT count(*) FROM lease e WHERE e.partition_key = x.partition_key) < v.most)
                LIMIT $2) y
            WHERE NOT v.is_limited
               OR (SELECT queue_capacity(q, NULL) FROM queue q WHERE q.id = v.queue_id) > 0
            LIMIT $2)
        SELECT (SELECT count(*) FROM before),
               CASE WHEN fairness.is_on THEN (
                   SELECT count(*)
                   FROM next_fairness_keys(
                            ARRAY(SELECT id FROM competing_subqueue WHERE in_group AND keyed ORDER BY id),
                            ARRAY(SELECT head_seq FROM competing_subqueue WHERE in_group AND keyed ORDER BY id),
                            ARRAY(SELECT id FROM competing_subqueue WHERE in_group AND NOT keyed), 0,
                            0, w.max_running_per_key, $3) n,
                        unnest(n.fairness_keys, n.subqueues) AS u (fairness_key, subqueue_id)
                   WHERE CASE WHEN w.partition_key IS NULL THEN u.subqueue_id IS DISTINCT FROM w.subqueue_id
                              ELSE u.subqueue_id IS NOT NULL OR u.fairness_key <> w.partition_key END)
               ELSE 0 END
        FROM waiting w, fairness
        """, isIdempotent: true)

    /// nil: no such job exists.
    func facts(of id: UUID) async throws(PostgresError) -> JobFacts? {
        guard var facts: JobFacts = try await general.execute(Self.factsStatement(id)).decodeFirst() else { return nil }
        guard facts.status == .queued || facts.status == .scheduled else { return facts }
        let statement = Self.positionStatement(id, Int32(JobFacts.aheadMax + 1), Int32(JobFacts.keysMax))
        if let position = try await general.execute(statement).decodeFirst((Int64, Int64).self) {
            (facts.ahead, facts.otherKeys) = position
        }
        return facts
    }
}

extension JobFacts: RowDecodable {
    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        status = try JobStatus(&columns)
        queue = try columns.next()
        type = try columns.next()
        concurrencyKey = try columns.next()
        now = try columns.next()
        runAt = try columns.next()
        worker = try columns.next()
        startedAt = try columns.next()
        finishedAt = try columns.next()
        fullQueue = try Self.fullLimit(&columns)
        fullKey = try Self.fullLimit(&columns)
        nextStart = try columns.next()
        workersOfQueue = try columns.next()
        workersOfType = try columns.next()
        workersIdle = try columns.next()
        workersPaused = try columns.next()
        hold = try Self.hold(&columns)
    }

    private static func hold(_ columns: inout ColumnCursor) throws(PostgresError) -> LeaseHold? {
        let expiresAt: WallInstant? = try columns.next()
        let state: String? = try columns.next()
        let heartbeatAt: WallInstant? = try columns.next()
        let isKept: Bool = try columns.next()
        guard let expiresAt else { return nil }
        return LeaseHold(
            expiresAt: expiresAt, workerState: state.flatMap(LeaseHold.WorkerState.init), heartbeatAt: heartbeatAt,
            takeover: isKept ? .lease : .heartbeat)
    }

    /// Three columns: the limit, whether it is reached, and the jobs that use it up.
    private static func fullLimit(_ columns: inout ColumnCursor) throws(PostgresError) -> FullLimit? {
        let most: Int32? = try columns.next()
        let isReached: Bool? = try columns.next()
        let holders: [UUID]? = try columns.next()
        guard let most, isReached == true else { return nil }
        return FullLimit(most: most, holders: holders ?? [])
    }
}
