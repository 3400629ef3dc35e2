import JSON
import Testing
import Values

@testable import HTTP

@Suite struct QueryReaderTests {
    private enum Parameter: String, CaseIterable {
        case limit, cursor, tag, since, status
    }

    private enum Kind: String, CaseIterable {
        case old, new
    }

    private func query(_ text: String) throws -> QueryReader {
        QueryReader(try Query(Array(text.utf8)[...]))
    }

    @Test func `the parameters of a query are read`() throws {
        var reader = try query("tag=a&limit=7&status=new&since=2030-01-01T00:00:00Z")
        var found: [String] = []
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .limit: found.append("\(reader.integer(in: 1...10) ?? 0)")
            case .tag: found.append(reader.text(.line(bytesMax: 5)) ?? "")
            case .status: found.append(reader.choice(of: Kind.allCases)?.rawValue ?? "")
            case .since: found.append(reader.instant()?.description ?? "")
            case .cursor: found.append("cursor")
            }
        }
        try reader.finish()
        #expect(found == ["a", "7", "new", "2030-01-01T00:00:00.000000Z"])
    }

    @Test func `all errors of a query are reported`() throws {
        var reader = try query("limit=+1&limt=1&color=red&tag=&tag=b&status=newer&since=x&cursor=1")
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .limit: _ = reader.integer(in: 1...10)
            case .tag: _ = reader.text(.name(bytesMax: 5))
            case .status: _ = reader.choice(of: Kind.allCases)
            case .since: _ = reader.instant()
            case .cursor: reader.add(Parameter.limit, "excludes `cursor`")
            }
        }
        let problem = try #require(#expect(throws: Problem.self) { try reader.finish() })
        #expect(problem.status == .badRequest && problem.detail == "the query has 8 errors")
        #expect(
            problem.errors == [
                .init(.parameter("limit"), "must be an integer from 1 to 10"),
                .init(.parameter("limt"), "is not a known parameter; did you mean `limit`?"),
                .init(
                    .parameter("color"),
                    "is not a known parameter; accepted are `limit`, `cursor`, `tag`, `since`, `status`"),
                .init(.parameter("tag"), "must be 1 to 5 characters of A-Z a-z 0-9 . _ : / -, but not . or .."),
                .init(.parameter("tag"), "appears more than once"),
                .init(.parameter("status"), "must be one of old, new"),
                .init(
                    .parameter("since"),
                    "is not an RFC 3339 instant such as 2026-03-01T12:00:00Z or 2026-03-01T12:00:00.250+01:00"),
                .init(.parameter("limit"), "excludes `cursor`"),
            ])
    }

    /// 8 KB of input must not make a long answer, nor a member of the document that has any length.
    @Test(arguments: [
        (0..<2_000).map { "a\($0)" }.joined(separator: "&"),
        (0..<40).map { _ in String(repeating: "%01", count: 80) }.joined(separator: "&"),
        String(repeating: "%E2%82%AC", count: 900), String(repeating: "limit&", count: 1_300),
    ])
    func `the answer to a query of errors is bounded, and has the number of all`(text: String) throws {
        var reader = try query(text)
        reader.read(Parameter.self) { _, _ in }
        let problem = try #require(#expect(throws: Problem.self) { try reader.finish() })
        #expect(try problem.response().body.count < 18_000)
        let count = text.split(separator: "&").count - (text.hasPrefix("limit") ? 1 : 0)
        #expect((1...100).contains(problem.errors.count))
        let errors = count == 1 ? "an error" : "\(count) errors; the first \(problem.errors.count) are listed"
        #expect(problem.detail == "the query has \(errors)")
    }

    @Test func `a query that must be empty is refused otherwise`() throws {
        #expect(throws: Never.self) { try QueryReader.requireNone(in: Query([])) }
        let problem = #expect(throws: Problem.self) {
            try QueryReader.requireNone(in: Query(Array("a=1".utf8)[...]))
        }
        #expect(problem?.errors == [.init(.parameter("a"), "is not a known parameter; none is accepted")])
    }
}
