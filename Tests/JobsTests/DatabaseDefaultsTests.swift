import Jobs
import Postgres
import TestKit
import Testing
import Values

/// Settings that an administrator has set for a database (ALTER DATABASE ... SET) do not change what jobqueue does.
@Suite struct DatabaseDefaultsTests {
    /// Each setting that a session may have, with another value than PostgreSQL's own. Left out: what makes a database
    /// read-only on purpose, and what only writes to the server's log.
    private static let altered = """
        SELECT name, other FROM (
            SELECT name, CASE
                WHEN vartype = 'bool' THEN CASE boot_val WHEN 'on' THEN 'off' ELSE 'on' END
                WHEN vartype = 'enum' THEN (SELECT v FROM unnest(enumvals) AS e (v) WHERE v <> boot_val
                                            ORDER BY v = 'serializable' DESC, v LIMIT 1)
                ELSE (SELECT v FROM (VALUES ('statement_timeout', '2000'), ('lock_timeout', '1'),
                          ('idle_session_timeout', '2000'), ('transaction_timeout', '2000'),
                          ('idle_in_transaction_session_timeout', '1'), ('gin_fuzzy_search_limit', '1'),
                          ('extra_float_digits', '-15'), ('from_collapse_limit', '1'), ('join_collapse_limit', '1'),
                          ('DateStyle', 'German'), ('TimeZone', 'Asia/Kathmandu'), ('search_path', 'pg_catalog'),
                          ('default_tablespace', 'pg_default'), ('work_mem', '64kB'),
                          ('restrict_nonsystem_relation_kind', 'view'), ('application_name', 'x'),
                          ('default_text_search_config', 'pg_catalog.simple')) AS g (n, v) WHERE g.n = s.name)
                END AS other
            FROM pg_settings s
            WHERE context = 'user' AND name NOT LIKE 'transaction\\_%' AND name NOT LIKE 'debug\\_print%'
              AND name NOT LIKE 'trace\\_%' AND name <> 'default_transaction_read_only') a
        WHERE other IS NOT NULL ORDER BY name
        """

    @Test func `no default of the database changes how jobs are created, run and explained`() async throws {
        let database = try await TestDatabase.migrated()
        let settings = try await database.sql(Self.altered).decode((String, String).self)
        #expect(settings.count > 50)
        // One by one they would take a minute.
        for start in stride(from: 0, to: settings.count, by: 16) {
            let group = settings[start..<min(start + 16, settings.count)]
            for (name, value) in group { try await database.setDefault("\(name) = '\(value)'") }
            do {
                try await Fixture.use(database) { fixture in try await roundTrip(fixture) }
            } catch {
                Issue.record("with \(group.map { "\($0.0) = \($0.1)" }): \(error)")
            }
            for (name, _) in group { try await database.resetDefault(name) }
        }
    }

    /// A session meets the time limits of the database until its first statement has set its own, so these are not as
    /// short as the test could otherwise have them; that they do not remain is asked for.
    private func roundTrip(_ fixture: Fixture) async throws {
        let limits = """
            SELECT count(*) FROM pg_settings
            WHERE name IN ('statement_timeout', 'idle_session_timeout', 'transaction_timeout') AND setting = '2000'
            """
        for pool in [fixture.hot, fixture.general] {
            let remaining: Int64 = try await pool.execute(sql: limits).decodeOnly()
            #expect(remaining == 0)
        }
        let created = try await fixture.create { job in
            job.type = "defaults"
            job.payload = Array(#"{"text":"a\\b\u0000","n":1.10}"#.utf8)
            job.tags = ["one", "two"]
            job.concurrencyKey = "k"
            job.uniqueKey = "u"
        }
        let delayed = try await fixture.create { $0.runAt = .now() + .seconds(3_600) }
        let enqueued = try await fixture.enqueueBySQL("defaults", #"{"a":"\\"}"#, #"{"tags":["x"],"delay_seconds":60}"#)
        #expect(try await fixture.status(of: delayed) == .scheduled)
        #expect(try await fixture.status(of: enqueued) == .scheduled)
        #expect(try await fixture.jobs.why(created)?.status == .queued)
        let leased = try #require(try await fixture.lease(10).first)
        #expect(leased.id == created && leased.payload == Array(#"{"text":"a\\b\u0000","n":1.10}"#.utf8))
        #expect(try await fixture.finish(leased) == .succeeded)
        _ = try await fixture.jobs.cancel(delayed)
        _ = try await fixture.jobs.cancel(enqueued)
        #expect(try await fixture.job(created).tags == ["one", "two"])
        #expect(try await fixture.countMismatches() == 0)
    }

    @Test(arguments: [
        "standard_conforming_strings = off", "default_tablespace = pg_default", "quote_all_identifiers = on",
        "default_transaction_isolation = serializable", "check_function_bodies = off", "DateStyle = 'German'",
    ])
    func `an empty database is migrated whatever its defaults`(setting: String) async throws {
        let database = try await TestDatabase.empty()
        try await database.setDefault(setting)
        try await database.migrate()
        try await Fixture.use(database) { fixture in try await roundTrip(fixture) }
    }

    @Test func `commits wait for the disk unless the database asks for more`() async throws {
        let database = try await TestDatabase.migrated()
        for (own, expected) in [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")] {
            try await database.setDefault("synchronous_commit = \(own)")
            try await Fixture.use(database) { fixture in
                let found: String = try await fixture.sql("SHOW synchronous_commit").decodeOnly()
                #expect(found == expected)
            }
        }
    }

    @Test func `a database of another encoding is refused, and stays empty`() async throws {
        let server = try PostgresServer.shared
        let database = try await TestDatabase.latin1(on: server)
        let error = await failure { try await database.migrate() }
        #expect("\(String(describing: error))".contains("LATIN1"))
        let tables: Int64 = try await database.sql(
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'jobqueue'"
        ).decodeOnly()
        #expect(tables == 0)
    }

    private func failure(_ body: () async throws -> Void) async -> (any Error)? {
        do {
            try await body()
            return nil
        } catch {
            return error
        }
    }
}
