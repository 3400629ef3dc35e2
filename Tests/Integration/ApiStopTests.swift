import EventLoop
import TestKit
import Testing
import Values

/// The shutdown of an api after SIGTERM.
@Suite struct ApiStopTests {
    @Test func `on SIGTERM readiness fails, requests under way are answered, and the process exits with 0`()
        async throws
    {
        try await withApi(["API_DRAIN_DELAY_SECONDS": "3", "API_THREADS": "2", "DATABASE_POOL_SIZE": "8"]) {
            api, database in
            let begun = try await api.client.connect()
            let body = #"{"type":"late"}"#
            let message = api.client.message("POST", "/api/jobs", body: body)
            try await begun.send(String(message.dropLast(body.utf8.count)))
            let idle = try await api.client.connect()
            try await idle.send(api.client.message("GET", "/health"))
            #expect(try await idle.response().status == 200)

            api.service.signal(Signals.terminate)
            try await api.service.waitForLine(containing: "\"stopping\"")
            let unready = try await api.stranger.get("/ready")
            #expect(unready.status == 503)
            #expect(unready.text.contains("the process is stopping"))
            // During the delay all other requests are served.
            _ = try await api.createJob(#"{"type":"meanwhile"}"#)
            #expect(try await api.stranger.get("/health").status == 200)

            try await api.service.waitForLine(containing: "\"draining\"")
            try await begun.send(body)
            let answer = try await begun.response(to: "POST")
            #expect(answer.status == 201)
            #expect(answer["Connection"] == "close")
            // The idle connection is closed in order: end of stream, no reset.
            #expect(try await idle.rest().isEmpty)
            await #expect(throws: (any Error).self) { _ = try await api.stranger.get("/health") }
            #expect(try await api.service.waitForExit() == .code(0))
            #expect(api.service.lines.last?.contains(#""message":"stopped""#) == true)
            #expect(!api.service.lines.contains { $0.contains(#""level":"WARNING""#) })
            #expect(try await database.count("job") == 2)
            let left =
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jobqueue-api' AND datname = current_database()"
            #expect(try await database.integer(left) == 0)
        }
    }

    @Test func `a second signal closes the remaining connections`() async throws {
        try await withApi { api, _ in
            let hanging = try await api.client.connect()
            try await hanging.send("POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n")
            api.service.signal(Signals.terminate)
            try await api.service.waitForLine(containing: "\"draining\"")
            api.service.signal(Signals.interrupt)
            let begin = MonotonicInstant.now()
            #expect(try await api.service.waitForExit() == .code(0))
            #expect(MonotonicInstant.now() - begin < .seconds(5))
        }
    }
}
