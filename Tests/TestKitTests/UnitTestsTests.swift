import EventLoop
import Glibc
import TestKit
import Testing

/// `make unit` runs exactly the tests that ask for neither PostgreSQL nor one of our programs.
@Suite struct UnitTestsTests {
    static let variable = "JOBQUEUE_UNIT_TESTS"

    @Test func `what asks for PostgreSQL or one of our programs is cancelled, and the rest runs`() async throws {
        try await withServices { services in
            let run = try await services.start(
                "/proc/self/exe", ["--testing-library", "swift-testing", "--filter", "UnitTestSamples"],
                environment: [Self.variable: "1"])
            #expect(try await run.waitForExit(within: .seconds(60)) == .code(0))
            func line(_ name: String) throws -> String {
                try #require(run.lines.last { $0.contains("Test \"\(name)\"") }, "\(run.lines)")
            }
            #expect(try line("it asks for a database").contains("was cancelled"))
            #expect(try line("it asks for a server").contains("was cancelled"))
            #expect(try line("it asks for a program").contains("was cancelled"))
            #expect(try line("it asks for a shell").contains("passed"))
        }
    }
}

@Suite(.enabled(if: getenv(UnitTestsTests.variable) != nil)) struct UnitTestSamples {
    @Test func `it asks for a database`() async throws {
        _ = try await TestDatabase.migrated()
        Issue.record("not cancelled")
    }

    @Test func `it asks for a server`() throws {
        _ = try PostgresServer()
        Issue.record("not cancelled")
    }

    @Test func `it asks for a program`() async throws {
        try await withServices { services in
            _ = try await services.start("jobqueue-api", ["--version"])
            Issue.record("not cancelled")
        }
    }

    @Test func `it asks for a shell`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "exit 3"])
            #expect(try await shell.waitForExit() == .code(3))
        }
    }
}
