internal import Postgres
internal import Values

/// What PostgreSQL knows of a job that does not run: from it `WaitReason` tells why.
struct JobFacts: Sendable {
    var status = JobStatus.queued
    var queue = ""
    var type = ""
    var concurrencyKey: String?
    /// PostgreSQL's clock.
    var now = WallInstant.earliest
    /// Of a job that is scheduled.
    var runAt: WallInstant?
    /// Of one that runs or has run.
    var worker: String?
    var startedAt: WallInstant?
    var finishedAt: WallInstant?
    /// Its queue's limit, if it is reached, and by which jobs.
    var fullQueue: FullLimit?
    /// The same of its concurrency key.
    var fullKey: FullLimit?
    /// When the rate of its queue allows the next start, if none may start now.
    var nextStart: WallInstant?
    /// Workers that live and take its queue; of those, the ones that have a handler for its type; of those, the ones
    /// that have fewer jobs than they run at once.
    var workersOfQueue: Int64 = 0
    var workersOfType: Int64 = 0
    var workersIdle: Int64 = 0
    /// Jobs that may run and go before it, counted to `aheadMax` + 1.
    var ahead: Int64 = 0
    /// Keys and subqueues that take fairness keys with it, counted to `keysMax`.
    var otherKeys: Int64 = 0

    /// More are not counted.
    static let aheadMax: Int64 = 10_000
    static let keysMax: Int64 = 1_000

    /// A limit of jobs that run at once, and some of those that use it up.
    struct FullLimit: Equatable, Sendable {
        let most: Int32
        let holders: [UUID]
    }
}

/// These statements read what they need of the tables as they are: they are for people, and rare.
extension JobStore {
    /// Ten holders are named at most.
    private static let facts = Statement(
        "job_facts",
        """
        SELECT CASE WHEN o.id IS NOT NULL THEN o.status::text
                    WHEN l.id IS NOT NULL THEN CASE WHEN l.cancel_requested_at IS NULL THEN 'running' ELSE 'ending' END
                    WHEN s.id IS NOT NULL THEN 'scheduled'
                    ELSE 'queued' END,
               q.name, t.name, j.concurrency_key, clock_timestamp(), s.run_at, w.name,
               COALESCE(o.started_at, l.leased_at), o.finished_at,
               q.max_running, (queue_held.n >= q.max_running), queue_held.ids,
               q.max_running_per_key, (key_held.n >= q.max_running_per_key), key_held.ids,
               CASE WHEN rate_capacity(q) <= 0 THEN next_start(q) END,
               v.of_queue, v.of_type, v.idle
        FROM (SELECT $1::uuid AS id) d
        \(sql: JobColumns.tables)
        CROSS JOIN LATERAL (
            SELECT count(*) AS n, (array_agg(x.id ORDER BY x.leased_at, x.id))[1:10] AS ids
            FROM lease x WHERE x.queue_id = q.id AND q.max_running IS NOT NULL) queue_held
        CROSS JOIN LATERAL (
            SELECT count(*) AS n, (array_agg(x.id ORDER BY x.leased_at, x.id))[1:10] AS ids
            FROM lease x WHERE x.partition_key = COALESCE(r.partition_key, s.partition_key) AND q.max_running_per_key IS NOT NULL) key_held
        CROSS JOIN LATERAL (
            SELECT count(*) AS of_queue, count(*) FILTER (WHERE handles_type(k.types, t.name)) AS of_type,
                   count(*) FILTER (WHERE handles_type(k.types, t.name) AND COALESCE(h.n, 0) < k.concurrency) AS idle
            FROM worker k
            LEFT JOIN (SELECT worker_id, count(*) AS n FROM lease GROUP BY worker_id) h ON h.worker_id = k.id
            WHERE k.deregistered_at IS NULL AND k.expires_at > clock_timestamp()
              AND (k.queues IS NULL OR q.name = ANY (k.queues))) v
        """, [.uuid], isIdempotent: true)

    /// What goes before a job that waits. The order is that of `LeaseJobs.swift` and `0008_fairness.sql`: by priority, then
    /// by age; but with fairness keys open, only jobs of its own fairness key and of other fairness groups are before it by age. Subqueues count that
    /// some worker takes besides this job's, those of a queue that is full do not.
    private static let place = Statement(
        "job_place",
        """
        WITH waiting AS MATERIALIZED (
            SELECT w.seq, w.partition_key, b.id AS subqueue_id, b.priority, b.queue_id, q.limited, q.max_running_per_key,
                   q.name AS queue, t.name AS type
            FROM job j
            CROSS JOIN LATERAL (
                SELECT seq, partition_key FROM ready WHERE subqueue_id = j.subqueue_id AND id = j.id
                UNION ALL
                SELECT 9223372036854775807, partition_key FROM scheduled WHERE subqueue_id = j.subqueue_id AND id = j.id) w
            JOIN subqueue b ON b.id = j.subqueue_id
            JOIN queue q ON q.id = b.queue_id
            JOIN type t ON t.id = b.type_id
            WHERE j.id = $1),
        taker AS MATERIALIZED (
            SELECT k.queues, k.types FROM worker k, waiting w
            WHERE k.deregistered_at IS NULL AND k.expires_at > clock_timestamp()
              AND (k.queues IS NULL OR w.queue = ANY (k.queues)) AND handles_type(k.types, w.type)),
        competing_subqueue AS MATERIALIZED (
            SELECT b.id, b.priority, b.low_water_mark, b.keyed, b.unrestricted, q.max_running_per_key AS most,
                   b.queue_id = w.queue_id OR NOT q.limited OR queue_capacity(q) > 0 AS has_capacity,
                   b.priority = w.priority AND CASE WHEN w.limited THEN b.queue_id = w.queue_id ELSE NOT q.limited END
                       AS in_group
            FROM waiting w, subqueue b
            JOIN queue q ON q.id = b.queue_id
            JOIN type t ON t.id = b.type_id
            WHERE b.priority <= w.priority AND EXISTS (SELECT FROM ready x WHERE x.subqueue_id = b.id AND x.seq >= b.low_water_mark)
              AND (EXISTS (SELECT FROM taker k
                           WHERE (k.queues IS NULL OR q.name = ANY (k.queues)) AND handles_type(k.types, t.name))
                   OR NOT EXISTS (SELECT FROM taker) AND b.queue_id = w.queue_id)),
        fairness AS MATERIALIZED (SELECT EXISTS (SELECT FROM competing_subqueue WHERE NOT unrestricted) AS is_on),
        before AS (
            SELECT FROM waiting w, fairness, competing_subqueue v
            CROSS JOIN LATERAL (
                SELECT FROM ready x
                WHERE x.subqueue_id = v.id AND x.seq >= v.low_water_mark
                  AND (v.priority < w.priority
                       OR x.seq < w.seq AND (NOT fairness.is_on OR NOT v.in_group OR x.partition_key = w.partition_key
                                             OR w.partition_key IS NULL AND v.id = w.subqueue_id))
                  AND (v.most IS NULL OR x.partition_key IS NULL OR x.partition_key IS NOT DISTINCT FROM w.partition_key
                       OR (SELECT count(*) FROM lease e WHERE e.partition_key = x.partition_key) < v.most)
                LIMIT $2) y
            WHERE v.has_capacity
            LIMIT $2)
        SELECT (SELECT count(*) FROM before),
               CASE WHEN fairness.is_on THEN (
                   SELECT count(*)
                   FROM next_fairness_keys(
                            ARRAY(SELECT id FROM competing_subqueue WHERE in_group AND keyed),
                            ARRAY(SELECT id FROM competing_subqueue WHERE in_group AND NOT keyed), 0, w.max_running_per_key, $3) n,
                        unnest(n.fairness_keys, n.subqueues) AS u (fairness_key, subqueue_id)
                   WHERE CASE WHEN w.partition_key IS NULL THEN u.subqueue_id IS DISTINCT FROM w.subqueue_id
                              ELSE u.subqueue_id IS NOT NULL OR u.fairness_key <> w.partition_key END)
               ELSE 0 END
        FROM waiting w, fairness
        """, [.uuid, .int4, .int4], isIdempotent: true)

    /// nil: there is no such job.
    func facts(of id: UUID) async throws(PostgresError) -> JobFacts? {
        var parameters = Parameters()
        parameters.append(id)
        guard let row = try await general.execute(Self.facts, parameters).first else { return nil }
        var facts = try JobFacts(row)
        guard facts.status == .queued || facts.status == .scheduled else { return facts }
        parameters.append(Int32(JobFacts.aheadMax + 1))
        parameters.append(Int32(JobFacts.keysMax))
        if let row = try await general.execute(Self.place, parameters).first {
            facts.ahead = try row.int8(0)
            facts.otherKeys = try row.int8(1)
        }
        return facts
    }
}

extension JobFacts {
    fileprivate init(_ row: Row) throws(PostgresError) {
        let name = try row.text(0)
        guard let status = JobStatus(rawValue: name) else {
            throw .unexpectedValue(column: 0, reason: "a job's status is \(name)")
        }
        self.status = status
        queue = try row.text(1)
        type = try row.text(2)
        concurrencyKey = try row.optionalText(3)
        now = try row.timestamptz(4)
        runAt = try row.optionalTimestamptz(5)
        worker = try row.optionalText(6)
        startedAt = try row.optionalTimestamptz(7)
        finishedAt = try row.optionalTimestamptz(8)
        fullQueue = try Self.limit(row, 9)
        fullKey = try Self.limit(row, 12)
        nextStart = try row.optionalTimestamptz(15)
        workersOfQueue = try row.int8(16)
        workersOfType = try row.int8(17)
        workersIdle = try row.int8(18)
    }

    /// The limit, whether it is reached, and by whom, in three columns.
    private static func limit(_ row: Row, _ column: Int) throws(PostgresError) -> FullLimit? {
        guard try row.optionalBool(column + 1) == true else { return nil }
        let holders = try row.isNull(column + 2) ? [] : row.uuidArray(column + 2).compactMap { $0 }
        return FullLimit(most: try row.int4(column), holders: holders)
    }
}
