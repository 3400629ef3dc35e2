import EventLoop
import TestKit
import Testing

/// A worker with an invalid configuration reports all problems with their places, and does not start.
@Suite struct WorkerConfigurationTests {
    /// Whether it exited with 78, and its output.
    private func run(_ environment: [String: String]) async throws -> (isRefused: Bool, output: String) {
        try await withServices { services in
            let worker = try await services.start("jobqueue-worker", environment: environment)
            let exit = try await worker.waitForExit(within: .seconds(20))
            return (exit == .code(78), worker.lines.joined(separator: "\n"))
        }
    }

    private func run(handlersFile: String) async throws -> (isRefused: Bool, output: String) {
        try await run(["DATABASE_URL": "postgresql:///unused", "WORKER_HANDLERS_FILE": handlersFile])
    }

    @Test func `all errors of a handlers file are reported with line and column`() async throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.write(
            "handlers.json",
            """
            {
              "handlers": {
                "a": {"exec": ["no-such-program"]},
                "b": {"exec": ["true"], "timeout": 5}
              }
            }
            """)
        let end = try await run(handlersFile: file)
        #expect(end.isRefused)
        #expect(end.output.contains("WORKER_HANDLERS_FILE"))
        #expect(end.output.contains("\(file):3:20: program \"no-such-program\" was not found"))
        #expect(end.output.contains("\(file):4:29: \"timeout\" is not a known member"))
    }

    @Test func `a syntax error of a handlers file is reported with line and column`() async throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.write("handlers.json", "{\n  \"handlers\": {\"a\": }\n}\n")
        let end = try await run(handlersFile: file)
        #expect(end.isRefused)
        #expect(end.output.contains("\(file):2:21: "))
    }

    @Test func `an unreadable handlers file is reported with its name`() async throws {
        let scratch = try ScratchDirectory()
        for file in [scratch.file("missing.json"), scratch.path] {
            let end = try await run(handlersFile: file)
            #expect(end.isRefused)
            #expect(end.output.contains("WORKER_HANDLERS_FILE"))
            #expect(end.output.contains(file))
        }
    }

    @Test func `all invalid variables are reported at once`() async throws {
        let end = try await run([
            "WORKER_CONCURRENCY": "many", "WORKER_LEASE_DURATION_SECONDS": "0.1", "WORKER_QUEUES": "a b",
            "LOG_LEVEL": "loud",
        ])
        #expect(end.isRefused)
        for name in [
            "WORKER_CONCURRENCY", "WORKER_LEASE_DURATION_SECONDS", "WORKER_QUEUES", "LOG_LEVEL", "DATABASE_URL",
        ] {
            #expect(end.output.contains(name), "\(name) is not named in: \(end.output)")
        }
    }
}
