import EventLoop
import Postgres
import TestKit
import Testing
import Values

/// A migrated database for reaper processes. Its helpers use only SQL, and no code of the reaper.
struct ReaperDatabase: Sendable {
    let database: TestDatabase
    private let pool: ConnectionPool

    /// Runs `body` on the loop.
    static func use<Value: Sendable>(
        _ database: TestDatabase? = nil, _ body: @Sendable (ReaperDatabase) async throws -> Value
    ) async throws -> Value {
        var given = database
        if given == nil { given = try await TestDatabase.migrated() }
        let database = try #require(given)
        return try await TestLoop.run {
            let pool = ConnectionPool(
                database.settings, options: ConnectionPool.Options(size: 2), on: TestLoop.shared)
            defer { pool.close() }
            return try await body(ReaperDatabase(database: database, pool: pool))
        }
    }

    /// The environment of a reaper.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        ["DATABASE_URL": database.url].merging(others) { $1 }
    }

    @discardableResult
    func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await pool.execute(sql: sql, parameters)
    }

    func number(_ sql: String) async throws -> Int64 {
        try await self.sql(sql).onlyRow().int8(0)
    }

    /// Runs `body` while another session holds the locks that the statement needs.
    func holding(_ statement: String, _ body: () async throws -> Void) async throws {
        try await pool.transaction { transaction in
            _ = try await transaction.execute(sql: statement)
            try await body()
        }
    }

    /// Inserts jobs with leases of a dead worker.
    func insertExpiredLeases(_ count: Int32) async throws {
        try await sql("SELECT register_subqueues(ARRAY['default'], ARRAY['work'], ARRAY[0]::smallint[], ARRAY[false])")
        var parameters = Parameters()
        parameters.append(count)
        try await sql(
            """
            WITH made AS MATERIALIZED (
                SELECT overlay(gen_random_uuid()::text
                               PLACING left(uuid_at(clock_timestamp())::text, 13) FROM 1 FOR 13)::uuid AS id,
                       (SELECT min(id) FROM subqueue) AS subqueue_id, clock_timestamp() AS at
                FROM generate_series(1, $1::int)),
            stored AS (
                INSERT INTO job (id, created_at, subqueue_id, payload, backoff_kind)
                SELECT id, at, subqueue_id, 'null', 'none' FROM made),
            leased AS (
                INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
                SELECT id, nextval('lease_token'), 1, at - interval '1 minute', at - interval '1 second', subqueue_id, 1
                FROM made)
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, unnest(ARRAY['enqueued', 'leased'])::job_transition, count(*) FROM made GROUP BY 1
            """, parameters)
    }

    /// Inserts jobs that are due after a number of milliseconds.
    func insertDelayed(_ count: Int32, milliseconds: Int32) async throws {
        try await sql("SELECT register_subqueues(ARRAY['default'], ARRAY['work'], ARRAY[0]::smallint[], ARRAY[false])")
        var parameters = Parameters()
        parameters.append(count)
        parameters.append(Double(milliseconds) / 1_000)
        try await sql(
            """
            WITH made AS MATERIALIZED (
                SELECT overlay(gen_random_uuid()::text
                               PLACING left(uuid_at(clock_timestamp())::text, 13) FROM 1 FOR 13)::uuid AS id,
                       (SELECT min(id) FROM subqueue) AS subqueue_id, clock_timestamp() AS at
                FROM generate_series(1, $1::int)),
            stored AS (
                INSERT INTO job (id, created_at, subqueue_id, payload) SELECT id, at, subqueue_id, 'null' FROM made),
            later AS (
                INSERT INTO scheduled (id, run_at, subqueue_id, attempt)
                SELECT id, at + make_interval(secs => $2), subqueue_id, 0 FROM made)
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'delayed', count(*) FROM made GROUP BY 1
            """, parameters)
    }

    /// Waits until a count has the value, for at most `duration`.
    func wait(
        until sql: String, _ parameters: Parameters = Parameters(), is expected: Int64,
        within duration: Duration = .seconds(15),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = MonotonicInstant.now() + duration
        while case let value = try await self.sql(sql, parameters).onlyRow().int8(0), value != expected {
            guard MonotonicInstant.now() < deadline else {
                Issue.record("\(sql): \(value), not \(expected), after \(duration)", sourceLocation: sourceLocation)
                return
            }
            try await TestLoop.shared.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until a reaper's session waits for a lock, in a statement that contains `text`.
    func waitUntilBlocked(inStatementWith text: String = "") async throws {
        var parameters = Parameters()
        parameters.append(text: text)
        try await wait(
            until: """
                SELECT count(*) FROM (
                    SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND position($1 IN query) > 0
                    LIMIT 1) s
                """, parameters, is: 1)
    }

    /// The number of pairs of subqueue and status whose counts and tables differ, in one snapshot.
    func countMismatches() async throws -> Int64 {
        try await number(
            """
            WITH counted AS (SELECT subqueue_id, status, n FROM depth WHERE n <> 0),
            present AS (
                SELECT subqueue_id, status, count(*) AS n
                FROM (SELECT subqueue_id, 'queued'::job_status AS status FROM ready
                      UNION ALL SELECT subqueue_id, 'scheduled' FROM scheduled
                      UNION ALL SELECT subqueue_id, 'running' FROM lease
                      UNION ALL SELECT subqueue_id, status FROM outcome) s
                GROUP BY 1, 2)
            SELECT count(*) FROM counted c FULL JOIN present p USING (subqueue_id, status)
            WHERE c.n IS DISTINCT FROM p.n
            """)
    }
}
