import EventLoop
import Glibc
import TestKit
import Testing
import Values

@Suite struct ServiceProcessTests {
    @Test func `lines of both streams are captured and can be awaited`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "echo one; echo two >&2; exec sleep 60"])
            #expect(try await shell.waitForLine(containing: "tw") == "two")
            #expect(try await shell.waitForLine(containing: "one") == "one")
            #expect(Set(shell.lines) == ["one", "two"])
        }
    }

    @Test func `a wait for a line starts at a position`() async throws {
        try await withServices { services in
            let shell = try await services.start(
                "sh", ["-c", "trap 'echo ready again; exit' TERM; echo ready; while :; do sleep 0.01; done"])
            try await shell.waitForLine(containing: "ready")
            let position = shell.lines.count
            shell.signal(SIGTERM)
            #expect(try await shell.waitForLine(containing: "ready", from: position) == "ready again")
        }
    }

    @Test func `a wait for a missing line fails with the last lines`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "echo here; exec sleep 60"])
            try await shell.waitForLine(containing: "here")
            let failure = await #expect(throws: ServiceFailure.self) {
                try await shell.waitForLine(containing: "there", within: .milliseconds(20))
            }
            #expect(failure?.description.contains("\"there\"") == true)
            #expect(failure?.description.hasSuffix("\n    here") == true)
        }
    }

    @Test func `a wait fails at once when the output ends, and the last line needs no line feed`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "printf 'no line feed'"])
            await #expect(throws: ServiceFailure.self) {
                try await shell.waitForLine(containing: "there", within: .seconds(60))
            }
            #expect(shell.lines == ["no line feed"])
        }
    }

    @Test func `exit codes and signals differ`() async throws {
        try await withServices { services in
            let failing = try await services.start("sh", ["-c", "exit 78"])
            #expect(try await failing.waitForExit() == .code(78))
            let sleeping = try await services.start("sleep", ["60"])
            #expect(sleeping.exited == nil)
            sleeping.signal(SIGTERM)
            #expect(try await sleeping.waitForExit() == .signal(SIGTERM))
        }
    }

    @Test func `every line of a process is there when its exit is reported`() async throws {
        try await withServices { services in
            for round in 0..<40 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            let text = "\(round) \(number)"
                            let shell = try await services.start("sh", ["-c", "echo '\(text)' >&2; exit 64"])
                            #expect(try await shell.waitForExit() == .code(64))
                            #expect(shell.lines == [text])
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func `an exit is reported although another process holds the output open`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "sleep 60 & echo started; exit 3"])
            #expect(try await shell.waitForExit() == .code(3))
            #expect(shell.lines == ["started"])
        }
    }

    @Test func `a process that does not end in time is a failure`() async throws {
        try await withServices { services in
            let sleeping = try await services.start("sleep", ["60"])
            await #expect(throws: ServiceFailure.self) { try await sleeping.waitForExit(within: .milliseconds(20)) }
        }
    }

    @Test func `a suspended process continues after SIGCONT`() async throws {
        try await withServices { services in
            let shell = try await services.start("sh", ["-c", "echo begun; while :; do sleep 0.01; echo tick; done"])
            try await shell.waitForLine(containing: "begun")
            shell.signal(SIGSTOP)
            // Output from before the stop may still arrive, but a suspended process adds nothing.
            await #expect(throws: ServiceFailure.self) {
                while true {
                    try await shell.waitForLine(containing: "tick", from: shell.lines.count, within: .milliseconds(300))
                }
            }
            let position = shell.lines.count
            shell.signal(SIGCONT)
            try await shell.waitForLine(containing: "tick", from: position)
        }
    }

    @Test func `no process of a test outlives it`() async throws {
        struct Unrelated: Error {}
        var pid: Int32 = 0
        var grandchild: Int32 = 0
        await #expect(throws: Unrelated.self) {
            try await withServices { services in
                let shell = try await services.start("sh", ["-c", "sleep 60 & echo pid $!; wait"])
                pid = shell.pid
                grandchild = Int32(try await shell.waitForLine(containing: "pid ").dropFirst(4)) ?? 0
                throw Unrelated()
            }
        }
        #expect(pid > 0 && kill(pid, 0) == -1 && errno == ESRCH)
        #expect(grandchild > 0)
        #expect(await hasGone(grandchild))
    }

    /// A killed grandchild is reaped by the process that adopted it: soon, but not by this one.
    private func hasGone(_ pid: Int32) async -> Bool {
        let deadline = MonotonicInstant.now() + .seconds(5)
        while MonotonicInstant.now() < deadline {
            if kill(pid, 0) == -1 || isZombie(pid) { return true }
            await Task.yield()
        }
        return false
    }

    private func isZombie(_ pid: Int32) -> Bool {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return true }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 256)
        guard fgets(&text, 256, file) != nil else { return true }
        return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self).contains(") Z ")
    }

    @Test func `the environment has the given variables and PATH`() async throws {
        try await withServices { services in
            let env = try await services.start("env", environment: ["GIVEN": "yes"])
            try await env.waitForExit()
            try await env.waitForLine(containing: "GIVEN=yes")
            #expect(env.lines.allSatisfy { $0.hasPrefix("GIVEN=") || $0.hasPrefix("PATH=") })
        }
    }

    @Test func `a missing program is an error that names it`() async throws {
        try await withServices { services in
            let failure = await #expect(throws: BuiltProducts.Missing.self) {
                _ = try await services.start("jobqueue-nothing")
            }
            #expect(failure?.description.contains("jobqueue-nothing is missing") == true)
        }
    }

    @Test(arguments: ["jobqueue-api", "jobqueue-worker", "jobqueue-reaper"])
    func `our binaries are found beside the tests`(name: String) throws {
        #expect(try BuiltProducts.find(name).hasSuffix("/\(name)"))
    }

    @Test func `a port is reserved once, and can be listened on`() async throws {
        let ports = (0..<50).map { _ in FreePort.take() }
        #expect(Set(ports).count == 50)
        for port in ports { #expect(await canListen(port), "\(port)") }
    }

    /// A child that another test starts in this instant holds a copy of the search's socket until its `exec`.
    private func canListen(_ port: UInt16) async -> Bool {
        let deadline = MonotonicInstant.now() + .seconds(5)
        while MonotonicInstant.now() < deadline {
            if (try? Listener(address: .loopback(port: port))) != nil { return true }
            await Task.yield()
        }
        return false
    }
}
