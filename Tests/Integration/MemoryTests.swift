import TestKit
import Testing

/// The memory of a process while many large payloads pass through it: at most 256 MiB at its peak.
@Suite struct MemoryTests {
    private static let peakMax = 256 * 1024
    private static let payload = "\"\(String(repeating: "x", count: 1_000_000))\""

    /// The largest resident size so far, in KiB.
    private func peak(_ process: ServiceProcess) throws -> Int {
        let status = try #require(TextFile.read("/proc/\(process.pid)/status"))
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }

    private func store(_ count: Int, _ deployment: Deployment) async throws {
        try await deployment.sql(
            """
            SELECT count(enqueue('echo', to_json(repeat('x', 1000000)))) FROM generate_series(1, \(count))
            """)
    }

    @Test func `of a worker that runs them`() async throws {
        try await Deployment.use { deployment in
            try await store(160, deployment)
            let worker = try await deployment.startWorker("worker", ["WORKER_CONCURRENCY": "160"])
            try await waitUntil("all have run", within: .seconds(120)) {
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status = 'succeeded'") == 160
            }
            #expect(try peak(worker) < Self.peakMax)
        }
    }

    @Test func `of an api to which they are posted`() async throws {
        try await withApi { api, database in
            // Without the payload in the answer, which this process would have to hold too.
            let body = #"{"jobs":[{"type":"t","payload":\#(Self.payload)}]}"#
            let message = Array(api.client.message("POST", "/api/jobs/batch", body: body).utf8)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        let connection = try await api.client.connect()
                        try await connection.send(message, within: .seconds(60))
                        let status = try await connection.response(to: "POST", within: .seconds(60)).status
                        await connection.close()
                        return status
                    }
                }
                for try await status in group { #expect(status == 201) }
            }
            #expect(try await database.count("job") == 32)
            #expect(try peak(api.service) < Self.peakMax)
        }
    }

    @Test func `of an api that lists them`() async throws {
        try await Deployment.use { deployment in
            try await store(24, deployment)
            let api = try await deployment.startApi()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let list = try await api.client.get("/api/jobs?limit=500&include=payload")
                        #expect(list.status == 200)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try peak(api.service) < Self.peakMax)
        }
    }
}
