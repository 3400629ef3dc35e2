import EventLoop
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct RoundTripTests {
    /// One value of every type, the extremes of each, and NULL.
    private static let everyType = Statement<
        Bool?, Int16?, Int32?, Int64?, Double?, String?, BinaryBytes?, JSONBytes?, UUID?, WallInstant?
    >("every_type", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10")

    @Test func `values of every type are returned unchanged`() async throws {
        try await withConnection { connection in
            let uuid = UUID(high: .max, low: 1)
            let instant = WallInstant(microseconds: 1_700_000_000_123_456)
            let text = "h\u{e9}llo \u{1F600}\n'\"\\"
            let json = #"{"a" : 1.10, "e":1e400}"#
            let statement = Self.everyType(
                true, .min, .min, .min, -0.0, text, BinaryBytes(Array(0...255)), JSONBytes(Array(json.utf8)), uuid,
                instant)
            let row: EveryType = try await connection.execute(statement).decodeOnly()
            #expect(row.bool)
            #expect(row.int2 == .min)
            #expect(row.int4 == .min)
            #expect(row.int8 == .min)
            #expect(row.float8.bitPattern == (-0.0).bitPattern)
            #expect(row.text == text)
            #expect(row.bytes == Array(0...255))
            #expect(row.json == json)
            #expect(row.uuid == uuid)
            #expect(row.instant == instant)
        }
    }

    @Test func `NULL of every type is returned as nil`() async throws {
        try await withConnection { connection in
            let rows = try await connection.execute(Self.everyType(nil, nil, nil, nil, nil, nil, nil, nil, nil, nil))
            let (bool, int2, int4, int8, float8, text, bytes, json, uuid, instant) = try rows.decodeOnly(
                (
                    Bool?, Int16?, Int32?, Int64?, Double?, String?, [UInt8]?, String?, UUID?, WallInstant?
                ).self)
            #expect(bool == nil && int2 == nil && int4 == nil && int8 == nil && float8 == nil)
            #expect(text == nil && bytes == nil && json == nil && uuid == nil && instant == nil)
        }
    }

    @Test func `empty text and bytes are not NULL`() async throws {
        try await withConnection { connection in
            let statement = Statement<String, BinaryBytes>("empty", "SELECT $1, $2, $1 IS NULL, $2 IS NULL")
            let (text, bytes, textIsNull, bytesAreNull) = try await connection.execute(statement("", BinaryBytes([])))
                .decodeOnly((String?, [UInt8]?, Bool, Bool).self)
            #expect(text == "" && !textIsNull)
            #expect(bytes == [] && !bytesAreNull)
        }
    }

    @Test func `the server receives the intended values`() async throws {
        try await withConnection { connection in
            let statement = Statement<Double, UUID, WallInstant, [Int64]>(
                "as_text", "SELECT $1::text, $2::text, $3::text, $4::text")
            let uuid = UUID(high: 0x0190_163d_8694_739b, low: 0xaea5_966c_26f8_ad91)
            let texts = try await connection.execute(statement(1.5, uuid, WallInstant(microseconds: 1), [7, -7]))
                .decodeOnly((String, String, String, String).self)
            #expect(texts.0 == "1.5")
            #expect(texts.1 == "0190163d-8694-739b-aea5-966c26f8ad91")
            #expect(texts.2 == "1970-01-01 00:00:00.000001+00")
            #expect(texts.3 == "{7,-7}")
        }
    }

    @Test func `arrays of every type are returned with their NULLs`() async throws {
        try await withConnection { connection in
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
            parameters.appendArray(of: .bytea) { $0.append(bytes: [0, 255]) }
            parameters.appendArray(of: .json) {
                $0.append(bytes: Array("[1, 2]".utf8))
                $0.appendNull()
            }
            parameters.appendArray(of: .uuid) {
                $0.append(uuid)
                $0.append(nil as UUID?)
            }
            parameters.appendArray(of: .timestamptz) { $0.append(instant) }
            let row: EveryArray = try await connection.execute(
                sql: "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10", parameters
            ).decodeOnly()
            #expect(row.bools == [true, nil, false])
            #expect(row.int2s == [-1, nil])
            #expect(row.int4s == [.max])
            #expect(row.int8s == (0..<1_000).map { Int64($0) })
            #expect(row.float8s == [0.1, .infinity])
            #expect(row.texts == ["a,b{}\"\\", nil, ""])
            #expect(row.bytes == [[0, 255]])
            #expect(row.jsons == ["[1, 2]", nil])
            #expect(row.uuids == [uuid, nil])
            #expect(row.instants == [instant])
        }
    }

    @Test func `an empty array is empty on both sides`() async throws {
        try await withConnection { connection in
            let statement = Statement<[Int64]>("empty_array", "SELECT $1, cardinality($1), '{}'::int8[]")
            let (echo, count, empty) = try await connection.execute(statement([]))
                .decodeOnly(([Int64], Int32, [Int64]).self)
            #expect(echo == [] && count == 0 && empty == [])
        }
    }

    private enum NumberColumns: BatchColumns {
        static let columns = ColumnBatch<Int64>([
            .int8("n") { $0 },
            .text("t") { $0 % 2 == 0 ? "even" : nil },
            .textArray("tags") { $0 == 1 ? ["a\"b", "c\\d", ""] : [] },
        ])
    }

    @Test func `a batch of columns becomes rows`() async throws {
        try await withConnection { connection in
            let columns = NumberColumns.columns
            let statement = Statement<Int32, Batch<NumberColumns>>(
                "unnest",
                """
                SELECT count(*) + $1, sum(n)::int8, count(t), max(tags::text[])
                FROM \(sql: columns.unnest(from: 2))
                """)
            let (count, sum, even, tags) = try await connection.execute(statement(1, Batch(Array(1...1_000))))
                .decodeOnly((Int64, Int64, Int64, [String]).self)
            #expect(count == 1_001 && sum == 500_500 && even == 500)
            #expect(tags == ["a\"b", "c\\d", ""])
        }
    }

    @Test func `the text of a batch names its columns and parameters`() {
        let columns = NumberColumns.columns + ColumnBatch([.text("kind", as: "backoff_kind") { _ in nil }])
        #expect(columns.names.text == "n, t, tags, kind")
        #expect(columns.values.text == "n, t, tags::text[], kind::backoff_kind")
        #expect(columns.arrays.text == "$1::bigint[], $2::text[], $3::text[], $4::text[]")
        #expect(columns.unnest("t", "n").text == "unnest($2::text[], $1::bigint[]) AS g (t, n)")
        #expect(columns.unnest("n", from: 3).text == "unnest($3::bigint[]) AS g (n)")
        #expect(columns.parameters("tags", "n").text == "$3, $1")
    }

    private struct Place: StatementInputGroup {
        var statementInputs: StatementInputs<Int32, String?> { StatementInputs(1, nil) }
    }

    @Test func `the types of parameters follow from the Swift types of a statement`() {
        let statement = Statement<Place, [Int16]?, Batch<NumberColumns>, TextBytes>("types", "SELECT 1")
        #expect(
            statement.definition.parameterTypes
                == [.int4, .text, .int2Array, .int8Array, .textArray, .textArray, .text])
        #expect(Statement("no_types", "SELECT 1").definition.parameterTypes == [])
    }

    @Test(arguments: [0, 1, 8_000, 1_048_576, 5_000_000])
    func `json of any size is returned byte for byte`(size: Int) async throws {
        try await withConnection { connection in
            let json = Array("\"".utf8) + Array(repeating: UInt8(ascii: "j"), count: size) + Array("\"".utf8)
            let statement = Statement<JSONBytes>("big_json_\(size)", "SELECT $1")
            let stored: [UInt8] = try await connection.execute(statement(JSONBytes(json))).decodeOnly()
            #expect(stored == json)
        }
    }

    @Test func `json preserves what jsonb would reject or change`() async throws {
        try await withConnection { connection in
            let json = #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2}}"#
            let statement = Statement<JSONBytes>("faithful_json", "SELECT $1")
            let rows = try await connection.execute(statement(JSONBytes(Array(json.utf8))))
            #expect(try rows.decodeOnly(as: String.self) == json)
            #expect(try rows.decodeOnly(as: [UInt8].self) == Array(json.utf8))
        }
    }

    private enum Colour: String, RowDecodable {
        case red

        init(_ columns: inout ColumnCursor) throws(PostgresError) {
            self = try columns.next(parsing: Self.init(rawValue:))
        }
    }

    @Test func `a wrong type, a NULL and a wrong number of columns are reported with the column's name`() async throws {
        try await withConnection { connection in
            func rows(_ sql: String) async throws -> Rows { try await connection.execute(sql: sql) }
            let two = try await rows("SELECT 1::int4 AS one, 2::int4 AS two")
            let one = try await rows("SELECT 1::int4 AS one")
            let null = try await rows("SELECT NULL::text AS name, NULL::int4[] AS list")
            let list = try await rows("SELECT ARRAY[[1,2]]::int4[] AS list")
            let gap = try await rows("SELECT ARRAY[1,NULL]::int4[] AS list")
            let blue = try await rows("SELECT 'blue'::text AS colour")
            let mistakes: [(String, () throws -> Void)] = [
                ("column two of a result was not read", { _ = try two.decode(as: Int32.self) }),
                ("column 2 of a result does not exist", { _ = try one.decode((Int32, Int32).self) }),
                ("column one of a result is int4; expected int8", { _ = try one.decode(as: Int64.self) }),
                ("column name of a result is NULL; expected text", { _ = try null.decode((String, [Int32]).self) }),
                ("column list of a result is NULL; expected int4[]", { _ = try null.decode((String?, [Int32]).self) }),
                (
                    "column list of a result holds an array of int4 that is not",
                    { _ = try list.decode(as: [Int32].self) }
                ),
                ("column list of a result is int4[]; expected int8[]", { _ = try list.decode(as: [Int64].self) }),
                ("column list of a result has an element that is NULL", { _ = try gap.decode(as: [Int32].self) }),
                ("column colour of a result is \"blue\"; expected a Colour", { _ = try blue.decode(as: Colour.self) }),
            ]
            for (message, mistake) in mistakes {
                let error = await failure(mistake)
                #expect(error?.description.hasPrefix(message) == true, "\(String(describing: error))")
            }
        }
    }

    private struct Sparse: RowDecodable {
        let first: Int32
        let last: Int32

        init(_ columns: inout ColumnCursor) throws(PostgresError) {
            first = try columns.next()
            columns.skip(to: "d")
            last = try columns.next()
            columns.skipRest()
        }
    }

    @Test func `columns can be left out by name, and at the end`() async throws {
        try await withConnection { connection in
            let rows = try await connection.execute(sql: "SELECT 1 AS a, NULL AS b, NULL AS c, 4 AS d, NULL AS e")
            let sparse: Sparse = try rows.decodeOnly()
            #expect(sparse.first == 1 && sparse.last == 4)
        }
    }

    @Test func `another number of rows than one is reported`() async throws {
        try await withConnection { connection in
            let two = try await connection.execute(sql: "SELECT generate_series(1, 2)")
            #expect(await failure { _ = try two.decodeOnly(as: Int32.self) }?.description.contains("2 rows") == true)
            #expect(try two.decodeFirst(as: Int32.self) == 1)
            let none = try await connection.execute(sql: "SELECT 1 WHERE false")
            #expect(await failure { _ = try none.decodeOnly((Int32).self) }?.description.contains("0 rows") == true)
            #expect(try none.decodeFirst(as: Int32.self) == nil)
        }
    }

    @Test func `an infinite timestamp is an error, and so is an instant beyond PostgreSQL's range`() async throws {
        try await withConnection { connection in
            let rows = try await connection.execute(sql: "SELECT 'infinity'::timestamptz")
            let infinity = await failure { _ = try rows.decodeOnly(as: WallInstant.self) }
            #expect(infinity?.description.contains("cannot be represented") == true)
            let statement = Statement<WallInstant>("instant", "SELECT $1")
            let tooEarly = await failure {
                _ = try await connection.execute(statement(WallInstant(microseconds: .min)))
            }
            #expect(tooEarly?.sqlState == "22008")
        }
    }
}

private struct EveryType: RowDecodable {
    let bool: Bool
    let int2: Int16
    let int4: Int32
    let int8: Int64
    let float8: Double
    let text: String
    let bytes: [UInt8]
    let json: String
    let uuid: UUID
    let instant: WallInstant

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        bool = try columns.next()
        int2 = try columns.next()
        int4 = try columns.next()
        int8 = try columns.next()
        float8 = try columns.next()
        text = try columns.next()
        bytes = try columns.next()
        json = try columns.next()
        uuid = try columns.next()
        instant = try columns.next()
    }
}

private struct EveryArray: RowDecodable {
    let bools: [Bool?]
    let int2s: [Int16?]
    let int4s: [Int32?]
    let int8s: [Int64?]
    let float8s: [Double?]
    let texts: [String?]
    let bytes: [[UInt8]?]
    let jsons: [String?]
    let uuids: [UUID?]
    let instants: [WallInstant?]

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        bools = try columns.next()
        int2s = try columns.next()
        int4s = try columns.next()
        int8s = try columns.next()
        float8s = try columns.next()
        texts = try columns.next()
        bytes = try columns.next()
        jsons = try columns.next()
        uuids = try columns.next()
        instants = try columns.next()
    }
}
