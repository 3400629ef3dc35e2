import EventLoop
import Postgres
import TestKit
import Testing

@Suite struct ExecuteTests {
    @Test func `a prepared statement returns its parameters`() async throws {
        try await withConnection { connection in
            let statement = Statement<Int64>("double", "SELECT 2 * $1, current_setting('search_path')")
            for number: Int64 in 1...3 {
                let rows = try await connection.execute(statement(number))
                #expect(try rows.decodeOnly((Int64, String).self) == (2 * number, #""jobqueue""#))
            }
            let prepared = try await connection.execute(sql: "SELECT name FROM pg_prepared_statements")
            #expect(try prepared.decodeOnly(as: String.self) == "double")
        }
    }

    @Test func `a session has the parameters of its profile and schema before its first use`() async throws {
        var settings = try await TestDatabase.empty().settings
        settings.schema = #"odd "na\me"#
        settings.statementTimeout = .seconds(7)
        let odd = settings
        try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(odd, profile: .hot, on: TestLoop.shared)
            defer { connection.close() }
            func shown(_ name: String) async throws -> String {
                try await connection.execute(sql: "SHOW \(name)").decodeOnly(as: String.self)
            }
            #expect(try await shown("search_path") == #""odd ""na\me""#)
            #expect(try await shown("statement_timeout") == "7s")
            let expected = Dictionary(SessionProfile.hot.parameters.map { ($0.name, $0.value) }) { $1 }
            for (name, value) in expected where name != "idle_in_transaction_session_timeout" {
                var parameters = Parameters()
                parameters.append(text: name)
                let found: String? = try await connection.execute(
                    sql: "SELECT current_setting($1, true)", parameters
                ).decodeOnly()
                // Not every version has every setting.
                if let found { #expect(found == value, "\(name)") }
            }
        }
    }

    @Test func `an error among a thousand pipelined statements affects only its own statement`() async throws {
        let divide = Statement<Int64>("divide", "SELECT 1000000 / $1")
        try await withConnection { connection in
            let results = await withTaskGroup(of: (Int64, Result<Int64, PostgresError>).self) { group in
                for number in Int64(-500)..<500 {
                    group.addTask {
                        let result = await outcome {
                            try await connection.execute(divide(number)).decodeOnly(as: Int64.self)
                        }
                        return (number, result)
                    }
                }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(results.count == 1_000)
            for (number, result) in results where number != 0 {
                let quotient = try result.get()
                #expect(quotient == 1_000_000 / number)
            }
            #expect(results[0]?.error?.sqlState == "22012")
            #expect(connection.isOpen)
            #expect(connection.inFlightCount == 0)
        }
    }

    /// More than the socket buffers hold in both directions: neither side may wait for the other to read first.
    @Test func `many large statements and results at once do not block each other`() async throws {
        let echo = Statement<BinaryBytes>("echo", "SELECT $1")
        try await withConnection { connection in
            let megabyte = [UInt8](repeating: 7, count: 1 << 20)
            let sizes = await withTaskGroup(of: Int?.self) { group in
                for _ in 0..<48 {
                    group.addTask {
                        let rows = try? await connection.execute(echo(BinaryBytes(megabyte)), timeout: .seconds(60))
                        return try? rows?.decodeOnly(as: [UInt8].self).count
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(sizes == Array(repeating: 1 << 20, count: 48))
        }
    }

    @Test func `each statement is a transaction of its own`() async throws {
        try await withConnection { connection in
            _ = try await connection.execute(sql: "CREATE TEMP TABLE t (n int8 PRIMARY KEY)")
            let insert = Statement<Int64>("insert", "INSERT INTO t VALUES ($1)")
            let rows = try await connection.execute(insert(1))
            #expect(rows.affectedRowCount == 1)
            let error = await failure { _ = try await connection.execute(insert(1)) }
            guard case .server(let reported) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reported.sqlState == .uniqueViolation)
            #expect(reported.constraint == "t_pkey")
            #expect(reported.table == "t")
            #expect(reported.detail == "Key (n)=(1) already exists.")
            #expect(!reported.description.contains("Key (n)"))
            #expect(try await connection.number("SELECT count(*) FROM t") == 1)
        }
    }

    @Test func `a commit that fails after its statement succeeded is a failure`() async throws {
        try await withConnection { connection in
            _ = try await connection.execute(sql: "CREATE TEMP TABLE parent (n int8 PRIMARY KEY)")
            _ = try await connection.execute(
                sql: "CREATE TEMP TABLE child (n int8 REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
            async let orphan = outcome { try await connection.execute(sql: "INSERT INTO child VALUES (1) RETURNING n") }
            async let neighbour = outcome { try await connection.execute(sql: "SELECT 7::int8") }
            let (orphanResult, neighbourResult) = await (orphan, neighbour)
            #expect(try neighbourResult.number() == 7)
            #expect(orphanResult.error?.sqlState == .foreignKeyViolation)
            #expect(try await connection.number("SELECT count(*) FROM child") == 0)
        }
    }

    @Test func `a group is committed completely or not at all`() async throws {
        try await withConnection { connection in
            _ = try await connection.execute(sql: "CREATE TEMP TABLE t (n int8 PRIMARY KEY)")
            let insert = Statement<Int64>("insert", "INSERT INTO t VALUES ($1) RETURNING n")
            let rows = try await connection.executeGroup([insert(1), insert(2), insert(3)])
            #expect(try rows.map { try $0.decodeOnly(as: Int64.self) } == [1, 2, 3])
            let error = await failure { _ = try await connection.executeGroup([insert(4), insert(2), insert(5)]) }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(try await connection.number("SELECT count(*) FROM t") == 3)
        }
    }

    @Test func `a statement that cannot be parsed affects no other statement`() async throws {
        try await withConnection { connection in
            let broken = Statement("broken", "SELECT nothing FROM nowhere")
            async let first = outcome { try await connection.execute(broken()) }
            async let second = outcome { try await connection.execute(broken()) }
            async let third = outcome { try await connection.execute(sql: "SELECT 1::int8") }
            let results = await (first, second, third)
            #expect(results.0.error?.sqlState == .undefinedTable)
            #expect(results.1.error?.sqlState == .undefinedTable)
            let answer = try results.2.number()
            #expect(answer == 1)
        }
    }

    @Test func `a statement whose plan no longer matches its table is prepared again`() async throws {
        let database = try await TestDatabase.empty()
        try await withConnection(to: database) { connection in
            _ = try await connection.execute(sql: "CREATE SCHEMA jobqueue")
            _ = try await connection.execute(sql: "CREATE TABLE t (n int8)")
            _ = try await connection.execute(sql: "INSERT INTO t VALUES (1)")
            let all = Statement("all_of_t", "SELECT * FROM t")
            #expect(try await connection.execute(all()).decodeOnly(as: Int64.self) == 1)
            _ = try await connection.execute(sql: "ALTER TABLE t ADD COLUMN m int8 DEFAULT 2")
            async let first = outcome { try await connection.execute(all()) }
            async let second = outcome { try await connection.execute(all()) }
            for result in await [first, second] {
                #expect(try result.get().decodeOnly((Int64, Int64).self).1 == 2)
            }
        }
    }

    @Test func `a deallocated prepared statement is prepared again`() async throws {
        try await withConnection { connection in
            let one = Statement("one", "SELECT 1::int8")
            _ = try await connection.execute(one())
            for _ in 0..<3 {
                _ = try await connection.execute(sql: "DEALLOCATE ALL")
                async let first = outcome { try await connection.execute(one()) }
                async let second = outcome { try await connection.execute(one()) }
                for result in await [first, second] {
                    #expect(try result.number() == 1)
                }
            }
        }
    }

    @Test func `COPY is an error in pipeline mode`() async throws {
        try await withConnection { connection in
            let error = await failure { _ = try await connection.execute(sql: "COPY (SELECT 1) TO STDOUT") }
            #expect(error != nil)
        }
    }
}
