import EventLoop
import JSON
import Jobs
import Postgres
import TestKit
import Values

extension JobsDatabase {
    /// Runs `body` with so many processes on this database, each with one session.
    func withStores<Value: Sendable>(
        _ count: Int, _ body: @Sendable ([JobStore]) async throws -> Value
    ) async throws -> Value {
        var options = ConnectionPool.Options(size: 1)
        options.reconnectPauseMax = .milliseconds(20)
        let pools = (0..<count).map { _ in
            ConnectionPool(database.settings, profile: .hot, options: options, on: TestLoop.shared)
        }
        defer { for pool in pools { pool.close() } }
        return try await body(pools.map { JobStore(hot: $0, general: general, subqueues: SubqueueDirectory()) })
    }

    /// Creates a job of type `work` in the queue `default`.
    func create(_ change: (inout NewJob) -> Void = { _ in }) async throws -> UUID {
        try await enqueue(1, change)[0]
    }

    /// A job that must be there.
    func job(_ id: UUID) async throws -> Job {
        guard let job = try await store.find(id) else { throw MissingJob(id: id) }
        return job
    }

    struct MissingJob: Error {
        let id: UUID
    }

    /// Creates a job and leases it: there must be no other that waits.
    func leaseNew(_ change: (inout NewJob) -> Void = { _ in }) async throws -> LeasedJob {
        let id = try await create(change)
        guard let job = try await lease(1, seconds: 60).first, job.id == id else { throw MissingJob(id: id) }
        return job
    }

    /// Asks a job to stop, as a person would.
    func requestStop(_ id: UUID) async throws {
        var parameters = Parameters()
        parameters.append(id)
        try await sql(
            """
            WITH asked AS (
                UPDATE lease SET cancel_requested_at = clock_timestamp() WHERE id = $1 RETURNING subqueue_id)
            INSERT INTO transition_delta (subqueue_id, transition, n) SELECT subqueue_id, 'cancel_requested', 1 FROM asked
            """, parameters)
    }

    /// Pretends that a running job is at its attempt `attempt`.
    func setAttempt(_ attempt: Int16, of id: UUID) async throws {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(attempt)
        try await sql("UPDATE lease SET attempt = $2 WHERE id = $1", parameters)
    }
}

extension LeasedJob {
    var held: HeldLease { HeldLease(id: id, token: token) }
}

extension Job {
    /// As the API shows it.
    var text: String {
        var writer = JSONWriter()
        write(to: &writer)
        return String(decoding: writer.finish(), as: UTF8.self)
    }
}

extension ChangeAnswer {
    /// The status that the job then had, if the change was done.
    var done: JobStatus? {
        if case .done(let job) = self { job.status } else { nil }
    }

    /// The status for which the change was refused.
    var refused: JobStatus? {
        if case .refused(let job) = self { job.status } else { nil }
    }

    var isUnknown: Bool {
        if case .unknown = self { true } else { false }
    }
}

/// The error of PostgreSQL that `body` throws; nil if it throws none.
func failure(_ body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}

/// Waits until `condition` holds, for 20 s at most.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = MonotonicInstant.now() + .seconds(20)
    while try await !condition() {
        guard .now() < deadline else { throw NeverHappened(what: what) }
        await Task.yield()
    }
}

struct NeverHappened: Error {
    let what: String
}
