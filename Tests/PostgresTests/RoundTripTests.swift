import EventLoop
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct RoundTripTests {
    /// One value of every type, the extremes of each, and NULL.
    private static let everyType = Statement(
        "every_type", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
        [.bool, .int2, .int4, .int8, .float8, .text, .bytea, .json, .uuid, .timestamptz])

    @Test func `values of every type are returned unchanged`() async throws {
        try await withConnection { connection in
            let uuid = UUID(high: .max, low: 1)
            let instant = WallInstant(microseconds: 1_700_000_000_123_456)
            var parameters = Parameters()
            parameters.append(true)
            parameters.append(Int16.min)
            parameters.append(Int32.min)
            parameters.append(Int64.min)
            parameters.append(-0.0)
            parameters.append(text: "h\u{e9}llo \u{1F600}\n'\"\\")
            parameters.append(bytea: Array(0...255))
            parameters.append(json: Array(#"{"a" : 1.10, "e":1e400}"#.utf8))
            parameters.append(uuid)
            parameters.append(instant)
            let row = try await connection.execute(Self.everyType, parameters).onlyRow()
            #expect(try row.bool(0))
            #expect(try row.int2(1) == .min)
            #expect(try row.int4(2) == .min)
            #expect(try row.int8(3) == .min)
            #expect(try row.float8(4).bitPattern == (-0.0).bitPattern)
            #expect(try row.text(5) == "h\u{e9}llo \u{1F600}\n'\"\\")
            #expect(try row.bytes(6) == Array(0...255))
            #expect(try row.text(7) == #"{"a" : 1.10, "e":1e400}"#)
            #expect(try row.uuid(8) == uuid)
            #expect(try row.timestamptz(9) == instant)
        }
    }

    @Test func `NULL of every type is returned as nil`() async throws {
        try await withConnection { connection in
            var parameters = Parameters()
            for type in Self.everyType.parameterTypes { parameters.appendNull(type) }
            let row = try await connection.execute(Self.everyType, parameters).onlyRow()
            #expect(try row.optionalBool(0) == nil)
            #expect(try row.optionalInt2(1) == nil)
            #expect(try row.optionalInt4(2) == nil)
            #expect(try row.optionalInt8(3) == nil)
            #expect(try row.optionalFloat8(4) == nil)
            #expect(try row.optionalText(5) == nil)
            #expect(try row.optionalBytes(6) == nil)
            #expect(try row.optionalText(7) == nil)
            #expect(try row.optionalUUID(8) == nil)
            #expect(try row.optionalTimestamptz(9) == nil)
            #expect(try row.isNull(9))
        }
    }

    @Test func `empty text and bytes are not NULL`() async throws {
        try await withConnection { connection in
            let statement = Statement("empty", "SELECT $1, $2, $1 IS NULL, $2 IS NULL", [.text, .bytea])
            var parameters = Parameters()
            parameters.append(text: "")
            parameters.append(bytea: [])
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.optionalText(0) == "")
            #expect(try row.optionalBytes(1) == [])
            #expect(try row.bool(2) == false)
            #expect(try row.bool(3) == false)
        }
    }

    @Test func `the server receives the intended values`() async throws {
        try await withConnection { connection in
            let statement = Statement(
                "as_text", "SELECT $1::text, $2::text, $3::text, $4::text",
                [.float8, .uuid, .timestamptz, .int8Array])
            var parameters = Parameters()
            parameters.append(1.5)
            parameters.append(UUID(high: 0x0190_163d_8694_739b, low: 0xaea5_966c_26f8_ad91))
            parameters.append(WallInstant(microseconds: 1))
            parameters.append([Int64(7), -7])
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.text(0) == "1.5")
            #expect(try row.text(1) == "0190163d-8694-739b-aea5-966c26f8ad91")
            #expect(try row.text(2) == "1970-01-01 00:00:00.000001+00")
            #expect(try row.text(3) == "{7,-7}")
        }
    }

    @Test func `arrays of every type are returned with their NULLs`() async throws {
        try await withConnection { connection in
            let statement = Statement(
                "every_array", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
                [
                    .boolArray, .int2Array, .int4Array, .int8Array, .float8Array, .textArray, .byteaArray, .jsonArray,
                    .uuidArray, .timestamptzArray,
                ])
            let uuid = UUID(high: 1, low: 2)
            let instant = WallInstant(microseconds: -5)
            var parameters = Parameters()
            parameters.appendArray(of: .bool) {
                $0.append(true)
                $0.appendNull()
                $0.append(false)
            }
            parameters.appendArray(of: .int2) {
                $0.append(Int16(-1))
                $0.append(nil as Int16?)
            }
            parameters.appendArray(of: .int4) { $0.append(Int32.max) }
            parameters.appendArray(of: .int8) { for number in 0..<1_000 { $0.append(Int64(number)) } }
            parameters.appendArray(of: .float8) {
                $0.append(0.1)
                $0.append(Double.infinity)
            }
            parameters.appendArray(of: .text) {
                $0.append(text: "a,b{}\"\\")
                $0.append(text: nil)
                $0.append(text: "")
            }
            parameters.appendArray(of: .bytea) {
                $0.append(bytes: [0, 255])
                $0.append(bytes: [1, 2, 3][1...])
            }
            parameters.appendArray(of: .json) {
                $0.append(bytes: Array("[1, 2]".utf8))
                $0.appendNull()
            }
            parameters.appendArray(of: .uuid) {
                $0.append(uuid)
                $0.append(nil as UUID?)
            }
            parameters.appendArray(of: .timestamptz) { $0.append(instant) }
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.boolArray(0) == [true, nil, false])
            #expect(try row.int2Array(1) == [-1, nil])
            #expect(try row.int4Array(2) == [.max])
            #expect(try row.int8Array(3) == (0..<1_000).map { Int64($0) })
            #expect(try row.float8Array(4) == [0.1, .infinity])
            #expect(try row.textArray(5) == ["a,b{}\"\\", nil, ""])
            #expect(try row.bytesArray(6) == [[0, 255], [2, 3]])
            #expect(try row.textArray(7) == ["[1, 2]", nil])
            #expect(try row.uuidArray(8) == [uuid, nil])
            #expect(try row.timestamptzArray(9) == [instant])
        }
    }

    @Test func `an empty array is empty on both sides`() async throws {
        try await withConnection { connection in
            let statement = Statement("empty_array", "SELECT $1, cardinality($1), '{}'::int8[]", [.int8Array])
            var parameters = Parameters()
            parameters.append([Int64]())
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.int8Array(0) == [])
            #expect(try row.int4(1) == 0)
            #expect(try row.int8Array(2) == [])
        }
    }

    @Test func `a batch of columns becomes rows`() async throws {
        try await withConnection { connection in
            let statement = Statement(
                "unnest", "SELECT count(*), sum(n), count(t) FROM unnest($1, $2) AS u(n, t)", [.int8Array, .textArray])
            var parameters = Parameters(reservingBytes: 20_000)
            parameters.appendArray(of: .int8) { for number in 1...1_000 { $0.append(Int64(number)) } }
            parameters.appendArray(of: .text) { writer in
                for number in 1...1_000 { writer.append(text: number % 2 == 0 ? "even" : nil) }
            }
            let row = try await connection.execute(
                sql: "SELECT count(*), sum(n)::int8, count(t) FROM unnest($1, $2) AS u(n, t)", parameters
            ).onlyRow()
            #expect(try row.int8(0) == 1_000)
            #expect(try row.int8(1) == 500_500)
            #expect(try row.int8(2) == 500)
            #expect(statement.parameterTypes.count == parameters.count)
        }
    }

    @Test(arguments: [0, 1, 8_000, 1_048_576, 5_000_000])
    func `json of any size is returned byte for byte`(size: Int) async throws {
        try await withConnection { connection in
            let json = Array("\"".utf8) + Array(repeating: UInt8(ascii: "j"), count: size) + Array("\"".utf8)
            let statement = Statement("big_json_\(size)", "SELECT $1", [.json])
            var parameters = Parameters()
            parameters.append(json: json)
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.bytes(0) == json)
            var appended: [UInt8] = [1]
            try row.appendBytes(0, to: &appended)
            #expect(appended == [1] + json)
        }
    }

    @Test func `json preserves what jsonb would reject or change`() async throws {
        try await withConnection { connection in
            let json = #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2}}"#
            let statement = Statement("faithful_json", "SELECT $1", [.json])
            var parameters = Parameters()
            parameters.append(json: Array(json.utf8))
            let row = try await connection.execute(statement, parameters).onlyRow()
            #expect(try row.text(0) == json)
            #expect(try row.bytes(0) == Array(json.utf8))
        }
    }

    @Test func `a wrong column, type or NULL is reported`() async throws {
        try await withConnection { connection in
            let rows = try await connection.execute(sql: "SELECT 1::int4, NULL::text, ARRAY[[1,2]]::int4[]")
            let row = try rows.onlyRow()
            let mistakes: [(String, () throws -> Void)] = [
                ("the result has 3 columns", { _ = try row.int4(3) }),
                ("the result has 3 columns", { _ = try row.int4(-1) }),
                ("is int4, read as int8", { _ = try row.int8(0) }),
                ("is NULL", { _ = try row.text(1) }),
                ("malformed or not one-dimensional", { _ = try row.int4Array(2) }),
                ("read as int8[]", { _ = try row.int8Array(2) }),
            ]
            for (reason, mistake) in mistakes {
                let error = await failure(mistake)
                #expect(error?.description.contains(reason) == true)
            }
        }
    }

    @Test func `an infinite timestamp is an error, and so is an instant beyond PostgreSQL's range`() async throws {
        try await withConnection { connection in
            let row = try await connection.execute(sql: "SELECT 'infinity'::timestamptz").onlyRow()
            let infinity = await failure { _ = try row.timestamptz(0) }
            #expect(infinity?.description.contains("cannot be represented") == true)
            let statement = Statement("instant", "SELECT $1", [.timestamptz])
            var parameters = Parameters()
            parameters.append(WallInstant(microseconds: .min))
            let tooEarly = await failure { _ = try await connection.execute(statement, parameters) }
            #expect(tooEarly?.sqlState == "22008")
        }
    }
}
