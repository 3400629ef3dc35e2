import EventLoop
import Glibc
import Testing
import Values

private func shell(_ script: String, environment: [String: String] = [:], directory: String? = nil) -> ProcessSpec {
    ProcessSpec(
        executable: "/bin/sh", arguments: ["sh", "-c", script], environment: environment, workingDirectory: directory)
}

private func text(_ stream: PipeEnd) async throws -> String {
    var bytes: [UInt8] = []
    while try await stream.read(into: &bytes, atMost: 65_536, deadline: .now() + .seconds(60)) > 0 {}
    return String(decoding: bytes, as: UTF8.self)
}

/// Number of open descriptors of the process. Other tests run at the same time, so it must be compared with a margin.
private var openDescriptors: Int {
    var count = 0
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    while readdir(directory) != nil { count += 1 }
    closedir(directory)
    return count
}

@Suite(.serialized) struct ChildProcessTests {
    @Test func `standard input, output, error and the result have separate descriptors`() async throws {
        try await onLoop { loop in
            let child = try ChildProcess(shell("cat; echo problem >&2; echo done >&3; exit 7"), on: loop)
            try await child.standardInput.write(Array("hello".utf8), deadline: nil)
            child.standardInput.close()
            #expect(try await text(child.standardOutput) == "hello")
            #expect(try await text(child.standardError) == "problem\n")
            #expect(try await text(child.result) == "done\n")
            #expect(await child.waitForExit() == .code(7))
            #expect(await child.waitForExit() == .code(7))
            child.closeDescriptors()
        }
    }

    @Test func `a child has only the given environment, directory and descriptors`() async throws {
        try await onLoop { loop in
            let child = try ChildProcess(
                shell("/usr/bin/env; pwd; ls /proc/self/fd", environment: ["ONLY": "this"], directory: "/usr"),
                on: loop)
            child.standardInput.close()
            let lines = try await text(child.standardOutput).split(separator: "\n").map(String.init)
            // `ls` itself holds descriptor 4 open on the directory it lists.
            #expect(lines.filter { !$0.hasPrefix("PWD=") } == ["ONLY=this", "/usr", "0", "1", "2", "3", "4"])
            #expect(await child.waitForExit() == .code(0))
            child.closeDescriptors()
        }
    }

    @Test func `killing the process group ends the descendants of the child`() async throws {
        try await onLoop { loop in
            let child = try ChildProcess(shell("sleep 3600 & echo started; wait"), on: loop)
            var bytes: [UInt8] = []
            _ = try await child.standardOutput.read(into: &bytes, atMost: 100, deadline: .now() + .seconds(60))
            child.signalGroup(Signals.kill)
            #expect(await child.waitForExit() == .signal(SIGKILL))
            // The descendants held the pipe open: the end of the stream shows that they have ended.
            #expect(try await text(child.standardOutput) == "")
            child.closeDescriptors()
        }
    }

    @Test func `a child starts with default signal dispositions and an empty mask`() async throws {
        try await onLoop { loop in
            let child = try ChildProcess(shell("kill -PIPE $$"), on: loop)
            #expect(await child.waitForExit() == .signal(SIGPIPE))
            child.closeDescriptors()
        }
    }

    @Test(arguments: [
        (ProcessSpec(executable: "/no/such", arguments: ["x"]), "exec /no/such: No such file or directory"),
        (ProcessSpec(executable: "/etc/passwd", arguments: ["x"]), "exec /etc/passwd: Permission denied"),
        (shell("true", directory: "/no/where"), "chdir /no/where: No such file or directory"),
    ])
    func `a failed start names the call and its subject, and leaks no descriptor`(spec: ProcessSpec, message: String)
        async throws
    {
        try await onLoop { loop in
            let before = openDescriptors
            for _ in 0..<50 {
                do throws(SystemError) {
                    _ = try ChildProcess(spec, on: loop)
                    Issue.record("started")
                } catch {
                    #expect("\(error)" == message)
                }
            }
            #expect(openDescriptors < before + 50)
        }
    }

    /// The parent may have been stopped between its decision and the start.
    @Test func `a program does not start after its deadline`() async throws {
        try await onLoop { loop in
            let error = try #require(
                throws: SystemError.self,
                performing: { _ = try ChildProcess(shell("exit 0"), killAt: .now() - .milliseconds(1), on: loop) })
            #expect(error.number == ETIME && error.description == "start in time: Timer expired")
            let child = try ChildProcess(shell("exit 0"), killAt: .now() + .seconds(60), on: loop)
            #expect(await child.waitForExit() == .code(0))
            child.closeDescriptors()
        }
    }

    @Test func `children leak no descriptor and no zombie`() async throws {
        try await onLoop { loop in
            let before = openDescriptors
            for _ in 0..<50 {
                let child = try ChildProcess(shell("exit 3"), on: loop)
                #expect(await child.waitForExit() == .code(3))
                child.closeDescriptors()
                #expect(waitpid(child.pid, nil, WNOHANG) == -1)
            }
            #expect(openDescriptors < before + 50)
        }
    }

    @Test func `a program is found in the search path, or by its path`() {
        #expect(ProcessSpec.findExecutable("sh", searchPath: "/nowhere:/usr/bin:/bin") == "/usr/bin/sh")
        #expect(ProcessSpec.findExecutable("/bin/sh", searchPath: "") == "/bin/sh")
        #expect(ProcessSpec.findExecutable("sh", searchPath: "/nowhere") == nil)
    }
}
