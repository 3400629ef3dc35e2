public import Jobs
public import Postgres
public import Values

extension Fixture {
    /// Creates `count` jobs of type `work` in the queue `default`.
    @discardableResult
    public func enqueue(_ count: Int, _ change: (inout NewJob) -> Void = { _ in }) async throws -> [UUID] {
        var job = NewJob(type: "work")
        change(&job)
        var ids: [UUID] = []
        while ids.count < count {
            let batch = Array(repeating: job, count: min(500, count - ids.count))
            ids += try await jobs.insertAll(batch).ids
        }
        return ids
    }

    /// Creates one such job.
    public func create(_ change: (inout NewJob) -> Void = { _ in }) async throws -> UUID {
        try await enqueue(1, change)[0]
    }

    /// Leases up to `count` jobs of all queues.
    @discardableResult
    public func lease(_ count: Int, worker: Int64 = 1, seconds: Double = 60) async throws -> [LeasedJob] {
        try await jobs.lease(
            LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: worker, leaseSeconds: seconds))
    }

    /// Creates a job and leases it. No other job may be ready.
    public func leaseNew(_ change: (inout NewJob) -> Void = { _ in }) async throws -> LeasedJob {
        let id = try await create(change)
        guard let job = try await lease(1).first, job.id == id else { throw MissingJob(id: id) }
        return job
    }

    /// Leases `count` jobs with leases that have expired already. As many must be ready.
    @discardableResult
    public func leaseExpired(_ count: Int, worker: Int64 = 1) async throws -> [LeasedJob] {
        var leased: [LeasedJob] = []
        while leased.count < count {
            let batch = try await lease(min(500, count - leased.count), worker: worker, seconds: -1)
            guard !batch.isEmpty else { throw TooFewJobs(leased: leased.count, wanted: count) }
            leased += batch
        }
        return leased
    }

    /// Ends an attempt.
    @discardableResult
    public func finish(
        _ job: LeasedJob, _ result: AttemptResult = .succeeded(result: nil)
    ) async throws -> FinishAnswer? {
        try await jobs.finish([FinishedAttempt(lease: job.held, result: result)]).first
    }

    /// Asks for the end of a running job, as its cancellation does.
    public func requestCancel(_ id: UUID) async throws {
        var parameters = Parameters()
        parameters.append(id)
        try await sql(
            """
            WITH asked AS (
                UPDATE lease SET cancel_requested_at = clock_timestamp() WHERE id = $1 RETURNING subqueue_id)
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'cancel_requested', 1 FROM asked
            """, parameters)
    }

    /// Pretends that a running job is at its attempt `attempt`.
    public func setAttempt(_ attempt: Int16, of id: UUID) async throws {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(attempt)
        try await sql("UPDATE lease SET attempt = $2 WHERE id = $1", parameters)
    }

    /// Creates jobs without backoff, leased by a worker that is no more.
    public func insertExpiredLeases(_ count: Int) async throws {
        try await enqueue(count) { $0.backoff = .none }
        try await leaseExpired(count)
    }

    /// Creates jobs that are due in `milliseconds`; 0: due, and not promoted yet. No other may be scheduled.
    public func insertDelayed(_ count: Int, milliseconds: Double) async throws {
        try await enqueue(count) { $0.runAt = .now() + .seconds(3_600) }
        try await makeDue(secondsAgo: -milliseconds / 1_000)
    }

    // MARK: What there is

    /// A job that must be there.
    public func job(_ id: UUID) async throws -> Job {
        guard let job = try await jobs.find(id) else { throw MissingJob(id: id) }
        return job
    }

    public func status(of id: UUID) async throws -> JobStatus? {
        try await jobs.find(id)?.status
    }

    /// How often each transition was taken, over all queues.
    public func transitions() async throws -> [String: Int64] {
        Dictionary(try await queues.counts().transitions.map { ($0.transition, $0.count) }, uniquingKeysWith: +)
    }

    /// The number of pairs of subqueue and status on which the counts and the tables disagree, and of queue and
    /// transition or status on which the totals by subqueue and those by queue do, in one snapshot. It must be 0. The
    /// totals by queue also have those of removed subqueues, whose jobs have all come and gone.
    public func countMismatches() async throws -> Int64 {
        try await number(
            """
            WITH counted AS (SELECT subqueue_id, status, n FROM depth WHERE n <> 0),
            present AS (
                SELECT subqueue_id, status, count(*) AS n
                FROM (SELECT subqueue_id, 'queued'::job_status AS status FROM ready
                      UNION ALL SELECT subqueue_id, 'scheduled' FROM scheduled
                      UNION ALL
                      SELECT subqueue_id,
                             CASE WHEN cancel_requested_at IS NULL THEN 'running' ELSE 'ending' END::job_status
                      FROM lease
                      UNION ALL SELECT subqueue_id, status FROM outcome) s
                GROUP BY 1, 2),
            removed AS MATERIALIZED (
                SELECT queue_id, transition, COALESCE(q.n, 0) - COALESCE(s.n, 0) AS n
                FROM (SELECT g.id AS queue_id, t.transition, sum(t.n) AS n
                      FROM transition_total t
                      JOIN subqueue b ON b.id = t.subqueue_id
                      JOIN queue q ON q.id = b.queue_id
                      CROSS JOIN LATERAL (SELECT q.id UNION ALL SELECT 0 WHERE NOT q.in_metrics) g (id)
                      GROUP BY 1, 2) s
                FULL JOIN queue_transition_total q USING (queue_id, transition))
            SELECT (SELECT count(*) FROM counted c FULL JOIN present p USING (subqueue_id, status)
                    WHERE c.n IS DISTINCT FROM p.n)
                   + (SELECT count(*) FROM removed WHERE n < 0)
                   + (SELECT count(*)
                      FROM (SELECT FROM removed r JOIN state_machine m USING (transition)
                            CROSS JOIN LATERAL (VALUES (m.to_status, r.n), (m.from_status, -r.n)) v (status, n)
                            WHERE v.status IS NOT NULL
                            GROUP BY r.queue_id, v.status HAVING sum(v.n) <> 0) d)
            """)
    }
}

/// A job that a test counts on is not there, or another one was leased.
public struct MissingJob: Error {
    public let id: UUID
}

/// Fewer jobs were ready than a test counts on.
public struct TooFewJobs: Error {
    public let leased: Int
    public let wanted: Int
}

extension JobStore {
    /// The job that was created, or the one that was there.
    @discardableResult
    public func insert(_ job: NewJob) async throws(PostgresError) -> Job {
        switch try await insert(job, as: nil) {
        case .created(let job), .existing(let job): return job
        case .removed, .otherRequest: throw .misuse("the job was neither created nor found")
        }
    }

    @discardableResult
    public func insertAll(_ jobs: [NewJob]) async throws(PostgresError) -> InsertedJobs {
        guard let inserted = try await insertAll(jobs, as: nil) else { throw .misuse("no request has a key here") }
        return inserted
    }

    /// As a worker whose fairness cursor is new.
    public func lease(_ request: LeaseRequest) async throws(PostgresError) -> [LeasedJob] {
        var cursor = FairnessCursor()
        return try await lease(request, cursor: &cursor).jobs
    }
}

extension JobStore {
    /// The jobs of one page, whole.
    public func list(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [Job] {
        try await list(filter, before: cursor, limit: limit, with: .all).jobs
    }
}

extension LeasedJob {
    public var held: HeldLease { HeldLease(id: id, token: token) }
}
