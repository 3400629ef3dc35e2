import HTTP
import Postgres
import Testing

@testable import Api
@testable import Postgres

@Suite struct DatabaseProblemsTests {
    private func serverError(_ state: String) -> PostgresError {
        .server(
            ServerError(
                severity: "ERROR", sqlState: SQLState(rawValue: state), message: "canary", detail: "canary",
                hint: "canary", schema: nil, table: "canary", column: nil, constraint: "canary", position: 1,
                sourceFunction: nil))
    }

    @Test(arguments: [
        PostgresError.connectionFailed(reason: "canary"),
        .connectionLost(reason: "canary", outcomeUnknown: false),
        .poolExhausted(waited: .seconds(5), lastFailure: "canary"),
        .closed,
        .deadlineExceeded(outcomeUnknown: false),
    ])
    func `an unreachable PostgreSQL means 503, nothing done, and a retry`(error: PostgresError) throws {
        let problem = try #require(DatabaseProblems.problem(error))
        #expect(problem.status == .serviceUnavailable)
        #expect(problem.detail?.hasSuffix("nothing was done") == true)
        #expect(problem.fields.map(\.field) == [.retryAfter])
        #expect(problem.members.isEmpty)
    }

    @Test(arguments: [
        PostgresError.connectionLost(reason: "canary", outcomeUnknown: true), .deadlineExceeded(outcomeUnknown: true),
    ])
    func `a commit that was not confirmed has an unknown outcome`(error: PostgresError) throws {
        let problem = try #require(DatabaseProblems.problem(error, unknownOutcome: "the job may have been created"))
        #expect(problem.status == .serviceUnavailable)
        #expect(problem.detail?.contains("the job may have been created") == true)
        #expect(problem.members.map(\.name) == ["outcome"])
        #expect(problem.members.map(\.value) == [.string("unknown")])
    }

    @Test(arguments: [
        ("53100", 503), ("53300", 503), ("57P01", 503), ("57P03", 503), ("57014", 503), ("55P03", 503),
        ("40001", 503), ("40P01", 503), ("42P01", 503), ("3F000", 503), ("25006", 503), ("22021", 422),
        ("22P02", 422), ("54001", 422), ("23514", 422),
    ])
    func `an error of the server is reported by its kind, without its message`(state: String, status: Int) throws {
        let problem = try #require(DatabaseProblems.problem(serverError(state)))
        #expect(problem.status.code == status)
        #expect(!String(decoding: try problem.response().body, as: UTF8.self).contains("canary"))
    }

    @Test func `a bug is not reported as a problem of the request`() {
        #expect(DatabaseProblems.problem(serverError("42601")) == nil)
        #expect(DatabaseProblems.problem(serverError("42501")) == nil)
        #expect(DatabaseProblems.problem(.misuse("canary")) == nil)
        #expect(DatabaseProblems.problem(.unexpectedValue(column: "status", reason: "canary")) == nil)
    }
}
