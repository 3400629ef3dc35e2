import EventLoop
import Jobs
import Postgres
import TestKit
import Testing
import Values
import Workers

/// A migrated database of a test's own, and a process's way to it.
struct JobsDatabase: Sendable {
    let database: TestDatabase
    let hot: ConnectionPool
    let general: ConnectionPool
    let store: JobStore
    let registry: WorkerRegistry

    private init(_ database: TestDatabase, connections: Int, notifier: ReadyNotifier?) {
        self.database = database
        let loop = TestLoop.shared
        hot = ConnectionPool(
            database.settings, profile: .hot, options: ConnectionPool.Options(size: connections), on: loop)
        general = ConnectionPool(database.settings, options: ConnectionPool.Options(size: 2), on: loop)
        store = JobStore(hot: hot, general: general, subqueues: SubqueueDirectory(), notifier: notifier)
        registry = WorkerRegistry(pool: hot)
    }

    /// Runs `body` on the loop with a new database.
    static func use<Value: Sendable>(
        connections: Int = 2, _ body: @Sendable (JobsDatabase) async throws -> Value
    ) async throws -> Value {
        let database = try await TestDatabase.migrated()
        return try await TestLoop.run {
            let jobs = JobsDatabase(database, connections: connections, notifier: nil)
            defer { jobs.close() }
            return try await body(jobs)
        }
    }

    /// Another process on the same database, with one connection, for as long as `body` runs.
    func withOther<Value: Sendable>(
        notifier: ReadyNotifier? = nil, _ body: @Sendable (JobsDatabase) async throws -> Value
    ) async throws -> Value {
        let other = JobsDatabase(database, connections: 1, notifier: notifier)
        defer { other.close() }
        return try await body(other)
    }

    private func close() {
        hot.close()
        general.close()
    }

    /// Runs a statement of the test's own, with the planner's usual settings.
    @discardableResult
    func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await general.execute(sql: sql, parameters)
    }

    func number(_ sql: String) async throws -> Int64 {
        try await self.sql(sql).decodeOnly(as: Int64.self)
    }

    func ids(_ sql: String) async throws -> Set<UUID> {
        Set(try await self.sql(sql).decode(as: UUID.self))
    }

    // MARK: Jobs

    /// Creates `count` jobs of type `work` in the queue `default`.
    @discardableResult
    func enqueue(_ count: Int, _ change: (inout NewJob) -> Void = { _ in }) async throws -> [UUID] {
        var job = NewJob(type: "work")
        change(&job)
        var ids: [UUID] = []
        while ids.count < count {
            let jobs = Array(repeating: job, count: min(500, count - ids.count))
            ids += try await store.insertAll(jobs).ids
        }
        return ids
    }

    func lease(_ count: Int, worker: Int64 = 1, seconds: Double) async throws -> [LeasedJob] {
        try await store.lease(
            LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: worker, leaseSeconds: seconds))
    }

    /// Leases so many jobs with leases that expired before they were made.
    func leaseExpired(_ count: Int) async throws -> [LeasedJob] {
        var leased: [LeasedJob] = []
        while leased.count < count {
            let batch = try await lease(min(500, count - leased.count), seconds: -1)
            try #require(!batch.isEmpty)
            leased += batch
        }
        return leased
    }

    func finish(_ job: LeasedJob, _ result: AttemptResult = .succeeded(result: nil)) async throws -> FinishAnswer? {
        let lease = HeldLease(id: job.id, token: job.token)
        return try await store.finish([FinishedAttempt(lease: lease, result: result)]).first
    }

    func status(of id: UUID) async throws -> JobStatus? {
        try await store.find(id)?.status
    }

    // MARK: What must always hold

    /// How many pairs of subqueue and status the counts and the tables disagree on, in one snapshot.
    func countMismatches() async throws -> Int64 {
        try await number(
            """
            WITH counted AS (SELECT subqueue_id, status, n FROM depth WHERE n <> 0),
            present AS (
                SELECT subqueue_id, status, count(*) AS n
                FROM (SELECT subqueue_id, 'queued'::job_status AS status FROM ready
                      UNION ALL SELECT subqueue_id, 'scheduled' FROM scheduled
                      UNION ALL
                      SELECT subqueue_id, CASE WHEN cancel_requested_at IS NULL THEN 'running' ELSE 'ending' END::job_status
                      FROM lease
                      UNION ALL SELECT subqueue_id, status FROM outcome) s
                GROUP BY 1, 2)
            SELECT count(*) FROM counted c FULL JOIN present p USING (subqueue_id, status)
            WHERE c.n IS DISTINCT FROM p.n
            """)
    }

    func transitions() async throws -> [String: Int64] {
        Dictionary(try await store.transitionCounts().map { ($0.transition, $0.count) }, uniquingKeysWith: +)
    }
}

extension JobStore {
    /// The job that was created, or the one that was there.
    @discardableResult
    func insert(_ job: NewJob) async throws(PostgresError) -> Job {
        switch try await insert(job, as: nil) {
        case .created(let job), .existing(let job): return job
        case .removed, .otherRequest: throw .misuse("the job was neither created nor found")
        }
    }

    @discardableResult
    func insertAll(_ jobs: [NewJob]) async throws(PostgresError) -> InsertedJobs {
        guard let inserted = try await insertAll(jobs, as: nil) else { throw .misuse("no request has a key here") }
        return inserted
    }

    /// As a worker that begins anew.
    func lease(_ request: LeaseRequest) async throws(PostgresError) -> [LeasedJob] {
        var cursor = FairnessCursor()
        return try await lease(request, cursor: &cursor).jobs
    }
}
