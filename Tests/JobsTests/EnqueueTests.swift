import JSON
import Jobs
import Postgres
import TestKit
import Testing
import Values

/// Jobs that are created by SQL (`0009_enqueue.sql`).
@Suite struct EnqueueTests {
    private static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test(arguments: [
        "{}", #"{"queue":"mail/eu","priority":-32768}"#, #"{"priority":1e2,"max_attempts":10000,"timeout_seconds":0}"#,
        #"{"run_at":"2099-01-31T09:30:00.1234567+01:30"}"#, #"{"run_at":"0001-01-01t00:00:00z"}"#,
        #"{"backoff":{"kind":"exponential","base_seconds":0.25,"max_seconds":604800}}"#,
        #"{"backoff":{"kind":"fixed","base_seconds":2.5}}"#, #"{"backoff":{"kind":"none"}}"#,
        #"{"backoff":{"kind":"standard"}}"#, #"{"tags":["b","a,b","{x}","\"q\"","b","é","é"]}"#, #"{"tags":[]}"#,
        #"{"unique_key":"k é","unique_for":31536000,"concurrency_key":"tenant 1"}"#,
        #"{"unique_key":"k","unique_for":"active","cancel_grace_seconds":3600}"#, #"{"trace_parent":"\#(trace)"}"#,
        #"{"delay_seconds":0}"#, #"{"delay_seconds":31536000}"#,
        #"{"teardown":{"type": "undo", "payload": {"a": 1}}}"#,
    ])
    func `a job has the members that HTTP gives it for the same options`(options: String) async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueueBySQL("work", #"{"n":1.10,"u":"\u0000"}"#, options)
            let members = options.dropFirst().dropLast()
            let text = #"{"type":"work","payload":{"n":1.10,"u":"\u0000"}\#(members.isEmpty ? "" : ",")\#(members)}"#
            var input = InputReader(Array(text.utf8))
            let described = try NewJob.read(&input, payloadBytesMax: 1_000)
            var expected = try #require(described)
            expected.uniqueKey = expected.uniqueKey.map { "other \($0)" }
            let other = try await fixture.jobs.insert(expected)
            let made = try JSONValue(parsing: try await fixture.job(id).text).object ?? []
            let wanted = try JSONValue(parsing: try await fixture.job(other.id).text).object ?? []
            let ownMembers: Set = ["id", "created_at", "unique_key"]
            for (mine, theirs) in zip(made, wanted) where !ownMembers.contains(mine.name) {
                if mine.name == "run_at", expected.runAt == nil { continue }
                #expect(mine.name == theirs.name && mine.value == theirs.value, "\(mine.name)")
            }
            #expect(try await fixture.job(id).uniqueKey.map { "other \($0)" } == expected.uniqueKey)
            #expect(try await fixture.countMismatches() == 0)
            let version = try await fixture.number(
                "SELECT count(*) FROM job WHERE id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]'")
            #expect(version == 2)
        }
    }

    /// Options that are refused, one fault each.
    private static let refused = [
        #""queue":"a b""#, #""queue":5"#, #""queue":null"#, #""queue":"\#(String(repeating: "q", count: 129))""#,
        #""priority":"5""#, #""priority":null"#, #""priority":[5]"#, #""priority":32768"#, #""priority":1.5"#,
        #""priority":true"#, #""max_attempts":0"#, #""max_attempts":10001"#, #""max_attempts":1e30"#,
        #""timeout_seconds":-1"#, #""timeout_seconds":2592001"#, #""timeout_seconds":{}"#,
        #""cancel_grace_seconds":3601"#, #""run_at":5"#, #""run_at":"tomorrow""#, #""run_at":"2030-01-31 09:30:00Z""#,
        #""run_at":"2030-02-30T00:00:00Z""#, #""run_at":"2030-13-01T00:00:00Z""#, #""run_at":"2030-01-31T24:00:00Z""#,
        #""run_at":"2030-01-31T09:30:60Z""#, #""run_at":"2030-01-31T09:30:00+24:00""#,
        #""run_at":"0001-01-01T00:00:00+01:00""#, #""run_at":"0000-01-01T00:00:00Z""#,
        #""run_at":"2030-01-31T09:30:00.Z""#, #""backoff":"none""#, #""backoff":{}"#, #""backoff":{"kind":"linear"}"#,
        #""backoff":{"kind":5}"#, #""backoff":{"kind":"none","base_seconds":1}"#, #""backoff":{"kind":"fixed"}"#,
        #""backoff":{"kind":"fixed","base_seconds":1,"max_seconds":2}"#,
        #""backoff":{"kind":"exponential","base_seconds":1}"#, #""backoff":{"kind":"none","factor":2}"#,
        #""backoff":{"kind":"fixed","base_seconds":"1"}"#, #""backoff":{"kind":"fixed","base_seconds":-1}"#,
        #""backoff":{"kind":"fixed","base_seconds":604801}"#, #""unique_key":"""#, #""unique_key":5"#,
        #""unique_key":"\n""#, #""unique_key":"\#(String(repeating: "k", count: 256))""#, #""unique_for":60"#,
        #""unique_key":"k","unique_for":0"#, #""unique_key":"k","unique_for":31536001"#,
        #""unique_key":"k","unique_for":1.5"#, #""unique_key":"k","unique_for":"ever""#,
        #""unique_key":"k","unique_for":null"#, #""concurrency_key":"\u007f""#, #""concurrency_key":false"#,
        #""tags":"a""#, #""tags":["a",5]"#, #""tags":["a",""]"#, #""tags":["\#(String(repeating: "t", count: 129))"]"#,
        #""tags":[\#(Array(repeating: #""t""#, count: 33).joined(separator: ","))]"#, #""trace_parent":"00""#,
        #""trace_parent":5"#, #""trace_parent":"00-00000000000000000000000000000000-00f067aa0ba902b7-01""#,
        #""delay_seconds":-1"#, #""delay_seconds":31536001"#, #""delay_seconds":1.5"#, #""delay_seconds":"5""#,
        #""delay_seconds":null"#, #""delay_seconds":5,"run_at":"2030-01-31T09:30:00Z""#,
        #""teardown":{"type":"t","delay_seconds":5}"#,
        #""colour":1"#, #""a/b~c":1"#, #""Queue":"a""#, #""teardown":5"#, #""teardown":{}"#,
        #""teardown":{"type":"a b"}"#, #""teardown":{"type":"t","run_at":1}"#,
        #""teardown":{"type":"t","teardown":{}}"#,
        #""teardown":{"type":"t","tags":[5]}"#, #""teardown":{"type":"t","colour":5}"#,
    ]

    @Test func `SQL rejects options with the errors of HTTP`() async throws {
        try await Fixture.use { fixture in
            for options in Self.refused {
                var input = InputReader(Array("{\"type\":\"work\",\(options)}".utf8))
                _ = try NewJob.read(&input, payloadBytesMax: 1_000)
                let expected = try #require(input.errors.all.first, "\(options) is accepted by HTTP")
                let said = try #require(
                    await fixture.refusal("work", "1", "{\(options)}"), "\(options) is accepted by SQL")
                #expect(said.sqlState == "22023", "\(options)")
                #expect(said.message == "the job is not accepted: \(expected.pointer.text)", "\(options)")
                // HTTP adds a suggestion to the error for an unknown member.
                let unknown = "is not a known member"
                let detail = expected.detail.hasPrefix(unknown) ? unknown : expected.detail
                #expect(said.detail == detail, "\(options)")
            }
            let members = [
                ("[]", "options"), ("5", "options"), (#"{"type":"t"}"#, "/type"), (#"{"payload":1}"#, "/payload"),
            ]
            for (options, place) in members {
                let said = try #require(await fixture.refusal("work", "1", options), "\(options)")
                #expect(said.message == "the job is not accepted: \(place)")
            }
            let types = [
                ("a b", "must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -, but not . or .."), (nil, "is required"),
            ]
            for (type, detail) in types {
                let said = try #require(await fixture.refusal(type, "1", "{}"))
                #expect(said.message == "the job is not accepted: /type" && said.detail == detail)
            }
            let long = "\"\(String(repeating: "p", count: JobLimits.payloadBytesMax - 2))\""
            _ = try await fixture.enqueueBySQL("work", long, "{}")
            let error = await failure { _ = try await fixture.enqueueBySQL("work", long + " ", "{}") }
            #expect(error?.sqlState == "22023")
            #expect(try await fixture.count("job") == 1)
        }
    }

    @Test func `a transaction that rolls back leaves nothing`() async throws {
        try await Fixture.use { fixture in
            struct ChangedMyMind: Error {}
            await #expect(throws: ChangedMyMind.self) {
                try await fixture.general.transaction { transaction in
                    _ = try await transaction.execute(sql: "SELECT enqueue('work', '1')")
                    _ = try await transaction.execute(sql: #"SELECT enqueue('new', '1', '{"unique_key":"k"}')"#)
                    #expect(try await fixture.lease(5, seconds: 60).isEmpty)
                    throw ChangedMyMind()
                }
            }
            for table in ["job", "ready", "transition_delta", "unique_key_holder", "subqueue"] {
                let rows = try await fixture.number("SELECT count(*) FROM \(table)")
                #expect(rows == 0, "\(table)")
            }
        }
    }

    @Test func `a unique key returns the job that holds it, created by SQL or by HTTP`() async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "work")
            job.uniqueKey = "k"
            let first = try await fixture.jobs.insert(job)
            #expect(try await fixture.enqueueBySQL("work", "1", #"{"unique_key":"k"}"#) == first.id)
            _ = try await fixture.jobs.cancel(first.id)
            let second = try await fixture.enqueueBySQL("work", "1", #"{"unique_key":"k","unique_for":60}"#)
            #expect(second != first.id)
            #expect(try await fixture.jobs.insert(job).id == second)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `enqueue uses its own schema, regardless of the caller's search path`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let files = try MigrationFile.readAll(in: TestDatabase.migrationsDirectory)
            var settings = database.settings
            settings.schema = "other_schema"
            _ = try await Migrator(settings: settings, files: files, on: TestLoop.shared).up()
            let connection = try await DatabaseConnection.connect(database.settings, on: TestLoop.shared)
            defer { connection.close() }
            for setting in ["search_path = pg_temp", "standard_conforming_strings = off", "TimeZone = 'Asia/Tokyo'"] {
                _ = try await connection.execute(sql: "SET \(setting)")
            }
            _ = try await connection.execute(sql: "CREATE TEMPORARY TABLE job (id uuid)")
            let sql = """
                SELECT other_schema.enqueue('work', '1', '{"unique_key":"k","run_at":"2030-01-31T00:00:00Z"}')
                """
            let id = try await connection.execute(sql: sql).decodeOnly(as: UUID.self)
            #expect(try await connection.execute(sql: sql).decodeOnly(as: UUID.self) == id)
            let rows = try await connection.execute(
                sql: "SELECT id, run_at = '2030-01-31 00:00:00+00' FROM other_schema.job")
            #expect(try rows.decodeOnly((UUID, Bool).self) == (id, true))
        }
    }

    @Test func `the role jobqueue_enqueue may call enqueue, and nothing else`() async throws {
        try await Fixture.use { fixture in
            func asRole(_ sql: String) async -> PostgresError? {
                await failure {
                    try await fixture.general.transaction { transaction in
                        _ = try await transaction.execute(sql: "SET LOCAL ROLE jobqueue_enqueue")
                        _ = try await transaction.execute(sql: sql)
                    }
                }
            }
            #expect(await asRole("SELECT enqueue('work', '1', '{\"tags\":[\"t\"],\"unique_key\":\"k\"}')") == nil)
            let tables = try await fixture.sql(
                """
                SELECT oid::regclass::text FROM pg_class
                WHERE relkind IN ('r', 'p', 'v') AND relnamespace = current_schema()::regnamespace
                """
            )
            #expect(tables.count > 10)
            for table in try tables.decode(as: String.self) {
                #expect(await asRole("SELECT FROM \(table)")?.sqlState == "42501", "\(table)")
            }
            for sql in [
                "SELECT ensure_partitions(1, 3)", "SELECT drop_partition('2030-01-01', 0, 0, 0)",
                "SELECT assert_lease(gen_random_uuid(), 1)", "SELECT nextval('lease_token')",
                "SELECT configure_queue('q', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL)",
                "SELECT hold_unique_keys(now(), '{}', '{}', '{}', '{}')",
                "SELECT register_subqueues('{q}', '{t}', '{0}', '{f}')",
                "SELECT lease_fairly(NULL, '{}', 1, 1, 60, NULL, NULL, NULL, NULL, '{}', '{}', 0)",
                "CREATE TABLE mine ()",
            ] {
                #expect(await asRole(sql)?.sqlState == "42501", "\(sql)")
            }
        }
    }
}

extension Fixture {
    /// Calls `enqueue`.
    func enqueueBySQL(_ type: String?, _ payload: String, _ options: String) async throws -> UUID {
        var parameters = Parameters()
        parameters.append(text: type)
        parameters.append(text: payload)
        parameters.append(text: options)
        return try await sql("SELECT enqueue($1, $2::json, $3::jsonb)", parameters).decodeOnly(as: UUID.self)
    }

    /// What PostgreSQL says when it refuses the job; nil if it does not.
    func refusal(_ type: String?, _ payload: String, _ options: String) async -> ServerError? {
        let error = await failure { _ = try await enqueueBySQL(type, payload, options) }
        if case .server(let said) = error { return said }
        return nil
    }
}
