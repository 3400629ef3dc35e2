import EventLoop
import Glibc
import JSON
import TestKit
import Testing
import Values

/// Pools of worker processes, with a reaper and an api.
@Suite struct PoolTests {
    @Test func `three members share the workloads when all have joined, and the assignment is shown`() async throws {
        try await Swarm.use { swarm in
            let made = try await swarm.put()
            #expect(made["complete"] == false && made["waiting_for_members"] == true && made["updated_by"] == "ada")
            let copy = ["POOL_CONFIG_PATH": swarm.scratch.file("config.yml")]
            _ = try await swarm.startMember(2)
            _ = try await swarm.startMember(0, copy)
            try await waitUntil("two have joined") { try await swarm.get()["members"]?.array?.count == 2 }
            try await Task.sleep(for: .milliseconds(600))
            #expect(swarm.starts().isEmpty)
            #expect(try await swarm.get()["missing"] == [1])

            _ = try await swarm.startMember(1)
            try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])
            let pool = try await swarm.get()
            #expect(pool["complete"] == true && pool["version"] == 1 && pool["effective_size"] == 3)
            #expect(swarm.starts().count == 6 && Set(swarm.starts().map(\.workload)) == Set(Swarm.names))

            let config = """
                workloads:
                  swarm-0:
                    jobs: ["a:1", "d"]
                    version: 1
                  swarm-1:
                    jobs: ["b", "e"]
                    version: 1
                  swarm-2:
                    jobs: ["c", "f"]
                    version: 1

                """
            let answer = try await swarm.api.client.get("/api/pools/swarm/config.yml")
            #expect(answer.body == Array(config.utf8) && answer["Content-Type"] == "application/yaml")
            try await waitUntil("the copy is written") { swarm.scratch.text("config.yml") == config }
            let page = try await swarm.api.metrics()
            // They run no jobs, so `/why` must not count on them.
            #expect(page.sum("worker_alive") == 0)
            #expect(page.sum("pool_members", "state=\"alive\"") == 3 && page.sum("pool_members", "missing") == 0)
            #expect(page.sum("pool_workloads", "running") == 6 && page.sum("pool_version", "swarm") == 1)
            let list = try JSONValue(parsing: try await swarm.api.client.get("/api/pools").body)
            #expect(list["pools"]?.array?.count == 1 && list["pools"]?[0] == pool)
            // Members of pools run jobs only with WORKER_QUEUES.
            let workers = try JSONValue(parsing: try await swarm.api.client.get("/api/workers").body)
            #expect(workers["workers"]?.array?.allSatisfy { $0["queues"] == [] } == true)
            let incarnations = Set(pool["members"]?.array?.compactMap { $0["incarnation"]?.string } ?? [])
            #expect(incarnations == Set(workers["workers"]?.array?.compactMap { $0["incarnation"]?.string } ?? []))
        }
    }

    @Test func `workloads of a killed member run elsewhere after its leases expire, and never twice`() async throws {
        try await Swarm.use { swarm in
            let members = try await swarm.startThree(lease: "3")
            let before = swarm.starts()
            let lost = before.filter { $0.ordinal == 1 }
            let killed = MonotonicInstant.now()
            members[1].signal(SIGKILL)
            try await swarm.waitUntilRunning([0: 3, 2: 3])
            #expect(MonotonicInstant.now() - killed > .seconds(1))
            let again = swarm.starts().dropFirst(before.count)
            #expect(Set(again.map(\.workload)) == Set(lost.map(\.workload)))
            for start in again {
                #expect(lost.contains { $0.workload == start.workload && $0.token < start.token })
                #expect(start.ordinal != 1)
            }
            for start in lost { #expect(!ProcessTable.isAlive(start.pid)) }

            // It returns, and gets its workloads back.
            _ = try await swarm.startMember(1, lease: "3")
            try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])
            #expect(try await swarm.running()[1] == ["b", "e"])
        }
    }

    @Test func `workloads of a stopped member run elsewhere at once, and no others move`() async throws {
        try await Swarm.use { swarm in
            let members = try await swarm.startThree(lease: "300")
            let before = swarm.starts()
            let stopped = MonotonicInstant.now()
            members[2].signal(SIGTERM)
            try await swarm.waitUntilRunning([0: 3, 1: 3])
            #expect(MonotonicInstant.now() - stopped < .seconds(20))
            #expect(try await members[2].waitForExit() == .code(0))
            #expect(swarm.starts().count == before.count + 2)
            #expect(Set(swarm.stops()) == ["c 2", "f 2"])
            // Its ordinal is also free at once.
            _ = try await swarm.startMember(2, lease: "300")
            try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])
            #expect(try await swarm.running()[2] == ["c", "f"])
            #expect(swarm.starts().count == before.count + 4)
        }
    }

    @Test func `a workload starts at its new owner only after it has stopped at the old one`() async throws {
        let script = Swarm.script(onStop: "while [ ! -e $HERE/stop ]; do sleep 0.1; done;")
        try await Swarm.use(["stream": script], killGraceSeconds: 60) { swarm in
            let members = try await swarm.startThree(lease: "300")
            members[0].signal(SIGTERM)
            try await waitUntil("it is moving") { try await swarm.assignment("a:1")?["state"] == "moving" }
            let moving = try #require(try await swarm.assignment("a:1"))
            #expect(moving["holder"] == 0 && moving["ordinal"] != 0)
            try await Task.sleep(for: .milliseconds(300))
            #expect(swarm.starts(of: "a:1").count == 1)
            try swarm.scratch.write("stop", "")
            try await swarm.waitUntilRunning([1: 3, 2: 3])
            #expect(swarm.starts(of: "a:1").count == 2)
        }
    }

    @Test func `unchanged workloads continue when others are added and removed`() async throws {
        try await Swarm.use(["stream": Swarm.script(), "other": Swarm.script()]) { swarm in
            _ = try await swarm.startThree(lease: "300")
            let before = swarm.starts()
            #expect(try await swarm.put(Swarm.names + ["g", "h"])["version"] == 2)
            try await swarm.waitUntilRunning([0: 3, 1: 3, 2: 2])
            try await swarm.put(["b", "c", "h", "i"])
            try await swarm.waitUntilRunning([0: 1, 1: 2, 2: 1])
            let stays = before.filter { ["b", "c"].contains($0.workload) }
            for start in stays {
                #expect(ProcessTable.isAlive(start.pid) && swarm.starts(of: start.workload) == [start])
            }
            try await waitUntil("the others have stopped") { swarm.stops().count == 5 }

            // A new handler restarts the processes under the same leases.
            try await swarm.put(["b", "c", "h", "i"], handler: "other")
            try await waitUntil("b restarts") { swarm.starts(of: "b").count == 2 }
            #expect(Set(swarm.starts(of: "b").map(\.token)).count == 1)

            let answer = try await swarm.api.client.request("DELETE", "/api/pools/swarm")
            #expect(answer.status == 204)
            #expect(try await swarm.api.client.get("/api/pools/swarm").status == 404)
            try await waitUntil("everything has stopped") {
                swarm.starts().allSatisfy { !ProcessTable.isAlive($0.pid) }
            }
            try await waitUntil("the pool is gone") {
                try await swarm.deployment.database.count("pool") == 0
            }
            // A new pool of the same name has its members after the notification.
            try await swarm.put(["b"])
            try await swarm.waitUntilRunning([0: 1])
        }
    }

    @Test func `a rolling restart restores the assignment`() async throws {
        try await Swarm.use { swarm in
            var members = try await swarm.startThree(lease: "300")
            let before = try await swarm.running().mapValues(Set.init)
            for ordinal in 0..<3 {
                members[ordinal].signal(SIGTERM)
                #expect(try await members[ordinal].waitForExit() == .code(0))
                members[ordinal] = try await swarm.startMember(ordinal, lease: "300")
                try await swarm.waitUntilRunning([0: 2, 1: 2, 2: 2])
            }
            #expect(try await swarm.running().mapValues(Set.init) == before)
            // At most two moves away and two back for each member; a pod that returns fast may cause none.
            #expect(swarm.starts().count <= 6 + 3 * 4)
        }
    }

    @Test func `a member runs jobs only of its configured queues`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put(["camera", "mic"], size: 2)
            _ = try await swarm.startMember(0)
            let job = try await swarm.api.post(["type": "echo"])
            try await waitUntil("the job waits, and the reason is shown") {
                try JSONValue(parsing: try await swarm.api.client.get("/api/jobs/\(job)/why").body)["reasons"]?[0]?[
                    "code"]
                    == "no_worker_for_queue"
            }
            _ = try await swarm.startMember(1, ["WORKER_QUEUES": "default"])
            try await swarm.api.wait(for: job, toBe: "succeeded")
            try await swarm.waitUntilRunning([0: 1, 1: 1])
        }
    }

    @Test func `a pause does not affect pools`() async throws {
        try await Swarm.use { swarm in
            _ = try await swarm.startThree()
            let before = swarm.starts()
            let body = #"{"reason":"test","updated_by":"ada","wait_seconds":20,"cancel_running":true}"#
            #expect(try await swarm.api.client.post("/api/worker/pause", body).status == 200)
            try await swarm.put(Swarm.names + ["g"])
            try await swarm.waitUntilRunning([0: 3, 1: 2, 2: 2])
            #expect(swarm.starts().count == before.count + 1)
            #expect(before.allSatisfy { ProcessTable.isAlive($0.pid) })
        }
    }
}
