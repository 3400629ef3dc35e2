import EventLoop
import Glibc
import JSON
import TestKit
import Testing
import Values

/// Failures in pools.
@Suite struct PoolFaultTests {
    @Test func `a workload that ends at once is restarted after a pause, and its error is shown`()
        async throws
    {
        try await Swarm.use(["stream": "echo \"no route to $JOBQUEUE_WORKLOAD\" >&2; echo . >>\"$HERE/tries\"; exit 3"])
        { swarm in
            try await swarm.put(["camera"], size: 1)
            let member = try await swarm.startMember(0)
            let shown = try await waitFor("two failures are shown") {
                let shown = try await swarm.assignment("camera")
                return (shown?["restarts"]?.integer ?? 0) >= 1 && shown?["state"] == "backoff" ? shown : nil
            }
            #expect(shown["last_error"] == "exit code 3: no route to camera")
            #expect(shown["last_error_at"]?.string != nil && shown["started_at"] == .null)
            // Pauses of one, two and four seconds: not a hundred tries in a row.
            #expect((swarm.scratch.text("tries") ?? "").utf8.count < 2 * 6)
            #expect(
                member.lines.contains { $0.contains("no route to camera") && $0.contains("\"workload\":\"camera\"") })
            try await waitUntil("its restarts are counted") {
                try await swarm.api.metrics().sum("pool_workload_restarts_total", "swarm") ?? 0 >= 1
            }
            // A restart pause does not delay the shutdown.
            let stopped = MonotonicInstant.now()
            member.signal(SIGTERM)
            #expect(try await member.waitForExit() == .code(0))
            #expect(MonotonicInstant.now() - stopped < .seconds(5))
        }
    }

    @Test func `a handler that a member does not have is shown as the error of the workload`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put(["camera"], size: 1, handler: "misspelt")
            _ = try await swarm.startMember(0)
            try await waitUntil("the error is shown") {
                try await swarm.assignment("camera")?["last_error"]?.string?.contains(
                    "no program named misspelt")
                    == true
            }
            try await swarm.put(["camera"], size: 1)
            try await swarm.waitUntilRunning([0: 1])
        }
    }

    @Test func `of two workers with one ordinal, one logs that it waits, and joins when the other leaves`() async throws
    {
        try await Swarm.use { swarm in
            try await swarm.put(["camera"], size: 1)
            let first = try await swarm.startMember(0)
            try await swarm.waitUntilRunning([0: 1])
            let second = try await swarm.startMember(0)
            try await second.waitForLine(containing: "another worker has this ordinal")
            #expect(swarm.starts().count == 1)
            first.signal(SIGTERM)
            try await second.waitForLine(containing: "joined the pool")
            try await waitUntil("it runs the workload") { swarm.starts().count == 2 }
            #expect(try await first.waitForExit() == .code(0))
        }
    }

    @Test func `a killed member that returns continues with its workloads, and nothing moves`() async throws {
        try await Swarm.use { swarm in
            let members = try await swarm.startThree(lease: "3")
            members[1].signal(SIGKILL)
            let again = try await swarm.startMember(1, lease: "3")
            try await again.waitForLine(containing: "joined the pool")
            try await waitUntil("both run again") { swarm.starts().count == 8 }
            try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])
            #expect(try await swarm.get()["version"] == 1)
            #expect(swarm.starts().dropFirst(6).allSatisfy { $0.ordinal == 1 })
        }
    }

    @Test func `a killed member that returns with its lock file continues at once`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put(["camera", "door"], size: 1)
            let environment = ["WORKER_LOCK_FILE": "\(swarm.scratch.path)/worker.lock"]
            let first = try await swarm.startMember(0, environment)
            try await swarm.waitUntilRunning([0: 2])
            let pids = swarm.starts().map(\.pid)
            first.signal(SIGKILL)
            let start = MonotonicInstant.now()
            _ = try await swarm.startMember(0, environment)
            try await waitUntil("both run again") { swarm.starts().count == 4 }
            #expect(MonotonicInstant.now() - start < .seconds(15))
            #expect(pids.allSatisfy { !ProcessTable.isAlive($0) })
            try await swarm.waitUntilRunning([0: 2])
        }
    }

    @Test func `the workloads of a killed member are shown as unresponsive until their leases expire`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put(["camera"], size: 1)
            let member = try await swarm.startMember(0, ["POOL_POLL_INTERVAL_SECONDS": "0.5"])
            try await swarm.waitUntilRunning([0: 1])
            member.signal(SIGKILL)
            try await waitUntil("the workload is unresponsive", within: .seconds(20)) {
                try await swarm.assignment("camera")?["state"] == "unresponsive"
            }
            #expect(try await swarm.get()["members"]?[0]?["state"] == "unresponsive")
        }
    }

    @Test func `a member without a connection kills its workloads before its leases end`() async throws {
        let server = try PostgresServer.shared
        let proxy = try await TestLoop.run { try FaultyProxy(to: .loopback(port: server.port)) }
        // The workload ignores SIGTERM.
        try await Swarm.use(["stream": "trap '' TERM; " + Swarm.script().replacing("exit 0' TERM", with: "' USR1")]) {
            swarm in
            try await swarm.put(["camera", "mic"], size: 2)
            let url = server.tcpURL(database: swarm.deployment.database.name, port: proxy.port)
            _ = try await swarm.startMember(0, lease: "4", ["DATABASE_URL": url])
            _ = try await swarm.startMember(1, lease: "4")
            try await swarm.waitUntilRunning([0: 1, 1: 1])
            let first = swarm.starts(of: "camera")[0]
            #expect(first.ordinal == 0)
            proxy.fault = .silence
            try await swarm.waitUntilRunning([1: 2])
            #expect(!ProcessTable.isAlive(first.pid))
            // After the reconnection it gets its workload back.
            proxy.fault = .none
            await TestLoop.run { proxy.cutAll() }
            try await swarm.waitUntilRunning([0: 1, 1: 1])
            await TestLoop.run { proxy.close() }
        }
    }

    @Test func `a workload of a suspended member has ended before another member can start it`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put(["camera", "mic"], size: 2)
            let members = [try await swarm.startMember(0, lease: "3"), try await swarm.startMember(1, lease: "3")]
            try await swarm.waitUntilRunning([0: 1, 1: 1])
            let first = swarm.starts(of: "camera")[0]
            members[0].signal(SIGSTOP)
            try await waitUntil("it runs elsewhere") { swarm.starts(of: "camera").count == 2 }
            #expect(!ProcessTable.isAlive(first.pid))
            members[0].signal(SIGCONT)
            try await swarm.waitUntilRunning([0: 1, 1: 1])
            #expect(try await swarm.running()[0] == ["camera"])
        }
    }
}
