import JSON
import Jobs
import Postgres
import TestKit
import Testing

/// The plans of the hot statements, read from the session that has prepared them: whatever the statistics of the tables
/// say, each row is visited by an index, and no table or index is walked from end to end.
@Suite struct PlanTests {
    /// What PostgreSQL knows of the tables when it plans.
    enum Statistics: CaseIterable {
        /// Nothing: the tables are new.
        case none
        /// Nothing of what has come since.
        case outgrown
        case exact
        /// VACUUM has seen the tables new.
        case vacuumedNew
        /// VACUUM has seen the tables after they were emptied.
        case vacuumedEmpty
        /// The same, before they filled again.
        case vacuumedEmptyAndOutgrown
    }

    /// Statements whose parameters are all arrays, one for each column of a batch.
    private static let batches = ["insert_plain_jobs", "insert_jobs", "insert_keyed_jobs"]

    /// The names of the statements, with parameters that nothing depends on.
    private static let statements = [
        "insert_uniform_jobs": "'{}', '{}', 1, 0", "lease_jobs": "NULL, '{}', 100, 1, 60, NULL, NULL, NULL, NULL, 32",
        "lease_jobs_of_few_subqueues": "'{1}', '{}', 100, 1, 60", "renew_leases": "'{}', '{}', 60, 10",
        "request_cancel": "'{}', NULL, NULL", "list_cancel_requests": "'{}', 10",
        "report_progress": "'{}', '{}', '{}', '{}'",
        "finish_succeeded_jobs": "'{}', '{}', '{}'",
        "find_unlocked_leases": "'{}', '{}'", "find_held_leases": "'{}', '{}'",
        "finish_jobs": "'{}', '{}', '{}', '{}', '{}'",
        "find_job": "'0190163d-8694-739b-aea5-966c26f8ad91'",
        "list_job_events": "'0190163d-8694-739b-aea5-966c26f8ad91', 0, 100, 4194304",
        "cancel_waiting_jobs": "'{}', 'a', NULL", "run_scheduled_jobs_now": "'{}', 'a', NULL",
        "retry_jobs": "'{}', 'a', NULL, NULL, NULL, 0",
    ]

    @Test(arguments: Statistics.allCases)
    func `hot statements visit rows by an index`(statistics: Statistics) async throws {
        try await Fixture.use { fixture in
            try await prepare(fixture, statistics)
            try await fixture.withOther { other in
                try await useEveryStatement(other)
                let batches = try await other.hot.execute(
                    sql: "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements"
                ).decode((String, Int32).self).filter { Self.batches.contains($0.0) }
                #expect(batches.count == Self.batches.count)
                let arrays = batches.map { ($0, Array(repeating: "'{}'", count: Int($1)).joined(separator: ", ")) }
                for (name, parameters) in Array(Self.statements) + arrays {
                    let rows = try await other.hot.execute(
                        sql: "EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE \(name)(\(parameters))")
                    let plan = try JSONValue(parsing: try rows.decodeOnly(as: [UInt8].self))
                    let faults = try #require(plan[0]?["Plan"]).faults
                    #expect(faults == [], "\(name)")
                }
            }
        }
    }

    @Test func `a plan that reads a whole table or index is found`() async throws {
        try await Fixture.use { fixture in
            for sql in [
                "SELECT FROM ready", "SELECT FROM job", "SELECT FROM lease WHERE token = 1",
                "SELECT seq FROM ready WHERE seq >= 5", "SELECT id FROM outcome ORDER BY subqueue_id",
                "SELECT FROM scheduled WHERE run_at < now() AND id IS NOT NULL",
            ] {
                let rows = try await fixture.hot.execute(sql: "EXPLAIN (FORMAT JSON, VERBOSE) \(sql)")
                let plan = try JSONValue(parsing: try rows.decodeOnly(as: [UInt8].self))
                #expect(try #require(plan[0]?["Plan"]).faults != [], "\(sql)")
            }
        }
    }

    private func prepare(_ fixture: Fixture, _ statistics: Statistics) async throws {
        // Nobody else looks at the tables meanwhile.
        try await fixture.sql(
            """
            DO $$ DECLARE name text; BEGIN
                FOR name IN SELECT oid::regclass FROM pg_class
                            WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace LOOP
                    EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', name);
                END LOOP;
            END $$
            """)
        let tables = "job, ready, scheduled, lease, outcome, attempt_error, event, subqueue, transition_delta"
        switch statistics {
        case .none: break
        case .outgrown: try await fill(fixture)
        case .exact:
            try await fill(fixture)
            try await fixture.sql("ANALYZE \(tables)")
        case .vacuumedNew:
            try await fixture.sql("VACUUM \(tables)")
        case .vacuumedEmpty, .vacuumedEmptyAndOutgrown:
            try await fill(fixture)
            for table in [
                "job", "ready", "scheduled", "lease", "outcome", "attempt_error", "event", "transition_delta",
            ] {
                try await fixture.sql("DELETE FROM \(table)")
            }
            try await fixture.sql("VACUUM \(tables)")
            if statistics == .vacuumedEmptyAndOutgrown { try await fill(fixture) }
        }
    }

    /// 8,000 jobs, a quarter in each of the four tables, in two subqueues.
    private func fill(_ fixture: Fixture) async throws {
        for type in ["a", "b"] { _ = try await fixture.create { $0.type = type } }
        try await fixture.sql(
            """
            WITH made AS MATERIALIZED (
                SELECT overlay(gen_random_uuid()::text PLACING left(uuid_at(clock_timestamp())::text, 14)
                               FROM 1)::uuid AS id, i, b.id AS subqueue_id
                FROM generate_series(1, 4000) i, subqueue b),
            stored AS (
                INSERT INTO job (id, created_at, subqueue_id, payload)
                SELECT id, clock_timestamp(), subqueue_id, '{}' FROM made),
            queued AS (
                INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
                SELECT id, clock_timestamp(), subqueue_id, 0, 0 FROM made WHERE i % 4 = 0),
            later AS (
                INSERT INTO scheduled (id, run_at, subqueue_id, attempt)
                SELECT id, clock_timestamp() + interval '1 day', subqueue_id, 0 FROM made WHERE i % 4 = 1),
            leased AS (
                INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
                SELECT id, i, 1, clock_timestamp(), clock_timestamp() + interval '1 day', subqueue_id, 1
                FROM made WHERE i % 4 = 2),
            error_rows AS (
                INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
                SELECT id, i, 1, clock_timestamp(), clock_timestamp(), 1, '{}' FROM made WHERE i % 4 = 3),
            event_rows AS (
                INSERT INTO event (id, at, transition, attempt) SELECT id, clock_timestamp(), 'promoted', 0 FROM made)
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status)
            SELECT id, i, 1, clock_timestamp(), clock_timestamp(), subqueue_id, 1,
                   CASE WHEN i % 8 = 3 THEN 'failed' ELSE 'succeeded' END::job_status
            FROM made WHERE i % 4 = 3
            """)
    }

    /// Has one session prepare all of them, in the way in which they are used.
    private func useEveryStatement(_ fixture: Fixture) async throws {
        var full = NewJob(type: "a")
        full.tags = ["t"]
        _ = try await fixture.jobs.insert(full)
        full.uniqueKey = "k"
        _ = try await fixture.jobs.insert(full)
        _ = try await fixture.enqueue(2)
        _ = try await fixture.jobs.insertAll([NewJob(type: "a"), NewJob(type: "b")], as: nil)
        let held = try await fixture.lease(2, seconds: 60)
        let named = try await fixture.jobs.queueIDs(["default"])
        _ = try await fixture.jobs.lease(
            LeaseRequest(queues: named, excludedTypes: [], count: 0, worker: 1, leaseSeconds: 60))
        _ = try await fixture.jobs.requestCancel([held[1].id], by: .unnamed)
        _ = try await fixture.jobs.cancelRequests(workers: [1])
        try await fixture.jobs.report([held[1].held: ProgressReport(percent: 1, message: nil)])
        _ = try await fixture.jobs.renew(held.map(\.held), leaseSeconds: 60)
        _ = try await fixture.finish(held[0])
        // One lease that is held, and one that is gone.
        let ends = held.map { FinishedAttempt(lease: $0.held, result: .failed(error: "e")) }
        _ = try await fixture.jobs.finishUnlocked(ends)
        _ = try await fixture.jobs.retry(held[1].id)
        _ = try await fixture.jobs.runNow(held[1].id)
        _ = try await fixture.jobs.events(of: held[1].id, after: 0, limit: 100)
        _ = try await fixture.jobs.cancel(held[1].id)
    }
}

extension JSONValue {
    /// What is wrong with a plan (`EXPLAIN (FORMAT JSON)`) and those below it.
    fileprivate var faults: [String] {
        var faults = (self["Plans"]?.array ?? []).flatMap(\.faults)
        if let fault { faults.append(fault) }
        return faults
    }

    /// The indexes by which rows may be visited, and the columns of each that must then be given.
    private static var ways: [(index: String, columns: [String])] {
        [
            ("ready_order", ["priority", "subqueue_id"]), ("ready_subqueue_id", ["subqueue_id", "id"]),
            ("scheduled_pkey", ["id"]),
            ("ready_subqueue_partition_key", ["subqueue_id", "partition_key"]),
            ("scheduled_subqueue_id", ["subqueue_id", "id"]), ("lease_pkey", ["id"]), ("lease_ending", ["worker_id"]),
            ("job_(default|\\d+)_pkey", ["id"]),
            ("outcome_\\w+_pkey", ["subqueue_id", "id"]), ("attempt_error_\\w+_pkey", ["id"]),
            ("event_\\w+_id_at_idx", ["id"]),
        ]
    }

    private var fault: String? {
        guard let node = self["Node Type"]?.string, node.contains("Scan"), node != "Tid Scan",
            let table = self["Relation Name"]?.string, table != "lease_gate",
            table.prefixMatch(of: /ready|scheduled|lease|job|outcome|attempt_error|event/) != nil
        else { return nil }
        let index = self["Index Name"]?.string ?? ""
        let condition = self["Index Cond"]?.string ?? ""
        let isGood = Self.ways.contains { way in
            (try? Regex(way.index).wholeMatch(in: index)) != nil
                && way.columns.allSatisfy { condition.contains(".\($0) = ") || condition.contains(".\($0) >= ") }
        }
        return isGood ? nil : "\(node) on \(table) by \(index) '\(condition)'"
    }
}
