import EventLoop
import Jobs
import Pauses
import Postgres
import TestKit

/// A migrated database with jobs and pauses.
struct Fixture: Sendable {
    let pool: ConnectionPool
    let hot: ConnectionPool
    let jobs: JobStore
    let control: PauseStore
    let settings: DatabaseSettings

    static func use(_ body: @Sendable (Fixture) async throws -> Void) async throws {
        let database = try await TestDatabase.migrated()
        try await TestLoop.run {
            let pool = ConnectionPool(database.settings, options: .init(size: 3), on: TestLoop.shared)
            let hot = ConnectionPool(database.settings, profile: .hot, options: .init(size: 4), on: TestLoop.shared)
            defer {
                pool.close()
                hot.close()
            }
            try await body(
                Fixture(
                    pool: pool, hot: hot, jobs: JobStore(hot: hot, general: pool, subqueues: SubqueueDirectory()),
                    control: PauseStore(pool: pool), settings: database.settings))
        }
    }

    func enqueue(_ count: Int, _ change: (inout NewJob) -> Void = { _ in }) async throws {
        var job = NewJob(type: "work")
        change(&job)
        _ = try await jobs.insertAll(Array(repeating: job, count: count), as: nil)
    }

    func lease(_ count: Int) async throws -> [LeasedJob] {
        var cursor = FairnessCursor()
        let request = LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: 1, leaseSeconds: 60)
        return try await jobs.lease(request, cursor: &cursor).jobs
    }

    func set(_ scope: PauseScope, _ isPause: Bool, expecting version: Int64? = nil) async throws -> PauseAnswer {
        var change = PauseChange(isPause ? .pause : .resume, scope, reason: "because", updatedBy: "somebody")
        change.expectedVersion = version
        change.clientAddress = "192.0.2.1"
        return try await control.change(change)
    }

    @discardableResult
    func sql(_ sql: String) async throws -> Rows { try await pool.execute(sql: sql) }

    func check() async throws -> [HistoryFault] {
        var check = HistoryCheck()
        for entry in try await control.history(limit: 1_000).reversed() { check.add(entry) }
        check.end(newestVersion: try await control.latest().version)
        return check.faults
    }
}
