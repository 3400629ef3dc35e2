import EventLoop
import Glibc
import JSON
import TestKit
import Testing
import Values

/// A worker that dies or is considered dead: its jobs run elsewhere, and it can no longer change them.
@Suite struct WorkerDeathTests {
    /// Leases of one second.
    private static let shortLease = ["WORKER_LEASE_DURATION_SECONDS": "1"]

    /// A script whose first attempt does not end by itself. Each attempt writes its pid to a file of its number.
    private static let endsAtSecondAttempt = """
        echo $$ > "$HERE/$JOBQUEUE_ATTEMPT"
        [ "$JOBQUEUE_ATTEMPT" = 2 ] || exec sleep 1000
        """

    @Test func `the programs of a killed worker are killed, and its jobs run again with a higher token`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "once": """
            if [ "$JOBQUEUE_ATTEMPT" = 1 ]; then
                echo $$ "$JOBQUEUE_LEASE_TOKEN" > "$HERE/$JOBQUEUE_JOB_ID"
                exec sleep 1000
            fi
            echo "$JOBQUEUE_LEASE_TOKEN"
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let environment = Self.shortLease.merging(["WORKER_HANDLERS_FILE": handlers]) { $1 }
            let first = try await deployment.startWorker("first", environment)
            var ids: [String] = []
            for _ in 0..<3 { ids.append(try await api.post(["type": "once", "backoff": ["kind": "none"]])) }
            var begun: [String: [Int]] = [:]
            for id in ids { begun[id] = try await waitFor("job \(id) has begun") { scratch.numbers(id) } }

            first.signal(SIGKILL)
            #expect(try await first.waitForExit() == .signal(SIGKILL))
            for begun in begun.values {
                try await waitUntil("its programs are gone", within: .seconds(5)) {
                    !ProcessTable.isAlive(Int32(begun[0]))
                }
            }

            _ = try await deployment.startWorker("second", environment)
            for id in ids {
                let job = try await api.wait(for: id, toBe: "succeeded")
                #expect(job["attempt"] == 2)
                #expect(job["worker"] == "second")
                let token = try #require(job["result"]?.integer)
                #expect(try token > #require(begun[id])[1])
                #expect(job["lease_token"] == .null)
                #expect(job["last_error"]?["kind"] == "lease_expired")
            }
        }
    }

    /// With the standard lease of 300 s, whose end nobody waits for.
    @Test func `the jobs of a killed worker run elsewhere when its heartbeats have stopped`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["once": Self.endsAtSecondAttempt])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let environment = ["WORKER_HANDLERS_FILE": handlers]
            let first = try await deployment.startWorker("first", environment)
            let id = try await api.post(["type": "once", "backoff": ["kind": "none"]])
            try await waitFor("the first attempt has begun") { scratch.text("1") }
            _ = try await deployment.startWorker("second", environment)
            first.signal(SIGKILL)
            let start = MonotonicInstant.now()
            try await waitUntil("the job runs elsewhere", within: .seconds(150)) {
                try await api.job(id)["status"] == "succeeded"
            }
            #expect(MonotonicInstant.now() - start > .seconds(20))
            let job = try await api.job(id)
            #expect(job["worker"] == "second" && job["attempt"] == 2)
            #expect(job["last_error"]?["kind"] == "worker_died")
        }
    }

    @Test func `the jobs of a killed worker run at once when its successor has its lock file`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["once": Self.endsAtSecondAttempt])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let environment = [
                "WORKER_HANDLERS_FILE": handlers, "WORKER_LOCK_FILE": "\(scratch.path)/worker.lock",
            ]
            let first = try await deployment.startWorker("first", environment)
            let id = try await api.post(["type": "once", "backoff": ["kind": "none"]])
            let pid = Int32(try await waitFor("the first attempt has begun") { scratch.numbers("1") }[0])
            // Another worker with the file has no proof while the first one lives.
            let other = try await deployment.startWorker("other", environment)
            try await other.waitForLine(containing: "another process has locked WORKER_LOCK_FILE")
            other.signal(SIGTERM)
            #expect(try await other.waitForExit() == .code(0))
            #expect(ProcessTable.isAlive(pid))

            first.signal(SIGKILL)
            let start = MonotonicInstant.now()
            let second = try await deployment.startWorker("second", environment)
            try await waitUntil("the job runs again", within: .seconds(60)) {
                try await api.job(id)["status"] == "succeeded"
            }
            #expect(MonotonicInstant.now() - start < .seconds(20))
            #expect(!ProcessTable.isAlive(pid))
            let job = try await api.job(id)
            #expect(job["worker"] == "second" && job["attempt"] == 2)
            #expect(job["last_error"]?["kind"] == "worker_died")
            #expect(second.lines.contains { $0.contains("the previous worker has ended without a word") })
        }
    }

    /// With the standard lease, which is renewed after 100 s.
    @Test func `a worker that was considered dead stops what it has lost when it finds out`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["once": Self.endsAtSecondAttempt])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let worker = try await deployment.startWorker("worker", ["WORKER_HANDLERS_FILE": handlers])
            let id = try await api.post(["type": "once", "backoff": ["kind": "none"]])
            let pid = Int32(try await waitFor("the first attempt has begun") { scratch.numbers("1") }[0])
            _ = try await deployment.texts("UPDATE worker SET dead_after = -1 RETURNING id::text")
            try await worker.waitForLine(containing: "this worker was considered dead")
            try await waitUntil("the lost attempt is over", within: .seconds(20)) { !ProcessTable.isAlive(pid) }
            try await api.wait(for: id, toBe: "succeeded")
        }
    }

    /// The program of a worker that is suspended with SIGSTOP.
    enum ZombieProgram: String, CaseIterable {
        /// It still runs when the worker wakes up, and its worker must end it.
        case hangs
        /// It has succeeded: the worker wakes up with a success to write.
        case succeeds
    }

    @Test(arguments: ZombieProgram.allCases)
    func `a worker that wakes up after the end of its lease changes nothing, and counts a lost lease`(
        program: ZombieProgram
    ) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "zombie": """
            if [ "$JOBQUEUE_ATTEMPT" = 1 ]; then
                echo $$ > "$HERE/pid"
                while [ ! -e "$HERE/go" ]; do sleep 0.05; done
                echo '"written by the zombie"'
                exit 0
            fi
            echo '"written by the successor"'
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let zombie = try await deployment.startWorker(
                "zombie", Self.shortLease.merging(["WORKER_HANDLERS_FILE": handlers]) { $1 })
            let id = try await api.post(["type": "zombie", "backoff": ["kind": "none"]])
            let pid = Int32(try await waitFor("the handler has begun") { scratch.numbers("pid") }[0])

            zombie.signal(SIGSTOP)
            if program == .succeeds {
                try scratch.write("go", "\n")
                try await waitUntil("the program has ended") { !ProcessTable.isAlive(pid) }
            }
            _ = try await deployment.startWorker("successor", ["WORKER_HANDLERS_FILE": handlers])
            try await api.wait(for: id, toBe: "succeeded")
            let outcome = "SELECT o::text || xmin || ctid FROM outcome o"
            let before = try await deployment.texts(outcome)

            zombie.signal(SIGCONT)
            try await zombie.waitForLine(containing: "lease lost", within: .seconds(20))
            #expect(!ProcessTable.isAlive(pid))
            zombie.signal(SIGTERM)
            #expect(try await zombie.waitForExit(within: .seconds(20)) == .code(0))

            #expect(try await deployment.texts(outcome) == before)
            #expect(before.count == 1)
            #expect(try await api.job(id)["result"] == "written by the successor")
            #expect(try await api.job(id)["attempt"] == 2)
            #expect(try await deployment.database.count("lease") == 0)
            try await waitUntil("the lost lease is counted once") {
                try await api.metrics().sum("worker_lease_lost_total") == 1
            }
        }
    }

    /// The worker that runs a reclaimed job while its first attempt continues.
    enum Successor: String, CaseIterable {
        case anotherWorker
        case theSameWorker
    }

    @Test(arguments: Successor.allCases)
    func `a success under an old token is discarded while the job runs again`(successor: Successor) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "awaited": """
            echo $$ > "$HERE/began$JOBQUEUE_ATTEMPT"
            while [ ! -e "$HERE/go$JOBQUEUE_ATTEMPT" ]; do sleep 0.05; done
            echo "$JOBQUEUE_ATTEMPT"
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let first = try await deployment.startWorker(
                "first",
                [
                    "WORKER_HANDLERS_FILE": handlers,
                    "WORKER_CONCURRENCY": successor == .theSameWorker ? "2" : "1",
                ])
            let id = try await api.post(["type": "awaited", "backoff": ["kind": "none"]])
            try await waitFor("the first attempt has begun") { scratch.text("began1") }

            // The worker believes in its lease: it is PostgreSQL's clock that counts.
            try await deployment.withFixture { try await $0.expireLeases() }
            if successor == .anotherWorker {
                _ = try await deployment.startWorker("second", ["WORKER_HANDLERS_FILE": handlers])
            }
            try await waitFor("the second attempt has begun") { scratch.text("began2") }
            try scratch.write("go1", "\n")
            try await first.waitForLine(containing: "lease lost")
            #expect(try await api.job(id)["status"] == "running")

            try scratch.write("go2", "\n")
            let job = try await api.wait(for: id, toBe: "succeeded")
            #expect(job["result"] == 2)
            #expect(job["attempt"] == 2)
            #expect(job["worker"]?.string == (successor == .theSameWorker ? "first" : "second"))
            try await waitUntil("the lost lease is counted once") {
                try await api.metrics().sum("worker_lease_lost_total") == 1
            }
        }
    }

    @Test func `a hung program is killed with its group, and the job is retried`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "hang": """
            if [ "$JOBQUEUE_ATTEMPT" = 1 ]; then
                trap '' TERM
                sleep 1000 &
                echo $$ $! > "$HERE/pids"
                wait
                sleep 1000
            fi
            echo 2
            """
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker("worker", ["WORKER_HANDLERS_FILE": handlers])
            let id = try await api.post(["type": "hang", "timeout_seconds": 1, "backoff": ["kind": "none"]])
            let job = try await api.wait(for: id, toBe: "succeeded")

            #expect(job["attempt"] == 2)
            #expect(job["result"] == 2)
            #expect(job["last_error"]?["message"]?.string?.contains("exceeded its deadline of 1 s") == true)
            let pids = try #require(scratch.numbers("pids"))
            #expect(pids.count == 2)
            for pid in pids { #expect(!ProcessTable.isAlive(Int32(pid))) }
        }
    }
}
