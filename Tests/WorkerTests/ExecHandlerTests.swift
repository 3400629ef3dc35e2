import EventLoop
import Glibc
import Jobs
import Testing
import Values

@testable import Worker

@Suite struct ExecHandlerTests {
    // MARK: Input of a program

    @Test func `a program reads the payload byte for byte`() async throws {
        try await onLoop { loop in
            let payload = #"{"n":12345678901234567890,"x":1.10,"k":{"\#u{E9}":1,"e\#u{301}":2}}"#
            #expect(await shell("cat", on: loop).run(leasedJob(payload)).resultText == payload)
        }
    }

    @Test func `the environment has the variables of the job and the handler, and no others`() async throws {
        try await onLoop { loop in
            let handler = shell("exec env -0 | sort -z | tr '\\000' ' '", environment: ["GREETING": "hi"], on: loop)
            let result = await handler.run(leasedJob(type: "email.send", attempt: 3))
            let expected = [
                "GREETING=hi", "HOME=/", "JOBQUEUE_ATTEMPT=3", "JOBQUEUE_JOB_ID=0190163d-8694-739b-aea5-966c26f8ad91",
                "JOBQUEUE_LEASE_TOKEN=77", "JOBQUEUE_MAX_ATTEMPTS=25", "JOBQUEUE_QUEUE=default",
                "JOBQUEUE_TYPE=email.send", "LANG=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                // The shell's own.
                "PWD=/", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ]
            #expect(result.resultText == "\"\(expected.joined(separator: " "))\"")
        }
    }

    @Test(.enabled(if: SystemUser.canChange))
    func `a program runs as its user, without further groups`() async throws {
        try await onLoop { loop in
            let user = try #require(SystemUser(named: "nobody"))
            var command = ExecCommand(
                executable: "/bin/sh",
                arguments: ["sh", "-c", "echo $(id -u) $(id -G) $HOME"],
                workingDirectory: "/")
            command.user = user
            let result = await ExecHandler(command: command, takeover: .heartbeat, loop: loop).run(
                leasedJob(type: "a", attempt: 1))
            #expect(result.resultText == "\"\(user.user) \(user.group) \(user.home)\"")
        }
    }

    // MARK: Result of an attempt

    @Test(arguments: [
        (#"echo noise; echo '{"n": 1.10}' >&3; echo more"#, #"{"n": 1.10}"#),
        (#"printf ' [1, 2]\n\n' >&3"#, "[1, 2]"),
        (#"echo 1; echo 2"#, "2"),
        (#"printf 'first\nlast'"#, #""last""#),
        (#"printf 'last\n\n \t\r\n'"#, #""last""#),
        (#"printf 'two words  \n'"#, #""two words""#),
        (#"printf '"\\u0000"'"#, #""\u0000""#),
        (#"printf 'a\377b\000'"#, "\"a\u{FFFD}b\\u0000\""),
        (#"printf '{"half": '"#, #""{\"half\":""#),
        (#"printf '\n' >&3; echo 5"#, "5"),
    ])
    func `the result is the output to descriptor 3, otherwise the last line`(script: String, result: String)
        async throws
    {
        try await onLoop { loop in
            #expect(await shell(script, on: loop).run(leasedJob()).resultText == result)
        }
    }

    @Test func `a program without output succeeds without a result`() async throws {
        try await onLoop { loop in
            #expect(await shell("true", on: loop).run(leasedJob()) == .succeeded(result: nil))
        }
    }

    @Test func `a result of the maximum length is stored`() async throws {
        try await onLoop { loop in
            let quoted = "\"\(String(repeating: "x", count: JobLimits.resultBytesMax - 2))\""
            for script in ["cat", "cat >&3"] {
                #expect(await shell(script, on: loop).run(leasedJob(quoted)).resultText == quoted)
            }
        }
    }

    @Test(arguments: [
        ("head -c 1048577 /dev/zero", "the last line of standard output is longer than 1048576 bytes"),
        ("head -c 1048577 /dev/zero >&3", "descriptor 3 is longer than 1048576 bytes"),
        (
            "head -c 600000 /dev/zero | tr '\\000' '\\377' >&3",
            "descriptor 3, as a JSON string, has 1800002 bytes; the maximum is 1048576"
        ),
    ])
    func `a longer result fails permanently`(script: String, error: String) async throws {
        try await onLoop { loop in
            #expect(await shell(script, on: loop).run(leasedJob()) == .failed(error: error))
        }
    }

    @Test func `JSON that is nested too deeply is stored as a string`() async throws {
        try await onLoop { loop in
            let result = await shell("head -c 100000 /dev/zero | tr '\\000' '['", on: loop).run(leasedJob())
            #expect(result.resultText == "\"\(String(repeating: "[", count: 100_000))\"")
        }
    }

    @Test(arguments: [
        ("exit 65", AttemptResult.failed(error: "exit code 65")),
        ("echo bad address >&2; exit 65", .failed(error: "exit code 65: bad address")),
        ("exit 75", .retry(error: "exit code 75", afterSeconds: nil)),
        ("echo one >&2; echo two >&2; exit 1", .retry(error: "exit code 1: one\ntwo", afterSeconds: nil)),
        ("echo '{\"a\":1}' >&3; exit 2", .retry(error: "exit code 2", afterSeconds: nil)),
        ("kill -SEGV $$", .retry(error: "signal 11 (Segmentation fault)", afterSeconds: nil)),
        ("echo '{\"snooze\": 2.5}' >&3; exit 79", .snoozed(seconds: 2.5)),
    ])
    func `the exit code determines the result of the attempt`(script: String, expected: AttemptResult) async throws {
        try await onLoop { loop in
            #expect(await shell(script, on: loop).run(leasedJob()) == expected)
        }
    }

    @Test(arguments: ["", "echo '{}' >&3;", "echo '{\"snooze\":-1}' >&3;", "echo '{\"snooze\":604801}' >&3;"])
    func `a snooze without a valid number of seconds is a retry`(script: String) async throws {
        try await onLoop { loop in
            let error = await shell("\(script) exit 79", on: loop).run(leasedJob()).retryError
            #expect(error == "exit code 79 without {\"snooze\": n} on descriptor 3, with n from 0 to 604800")
        }
    }

    @Test func `the end of a long standard error is stored, as text that PostgreSQL accepts`() async throws {
        try await onLoop { loop in
            let script = "head -c 300000 /dev/zero | tr '\\000' x >&2; printf 'cause\\000\\377\\n' >&2; exit 1"
            let error = try #require(await shell(script, on: loop).run(leasedJob()).retryError)
            #expect(error.hasPrefix("exit code 1: [234472 bytes omitted] xxx"))
            #expect(error.hasSuffix("xxcause\u{FFFD}\u{FFFD}"))
        }
    }

    // MARK: Programs that misbehave

    @Test(arguments: ["exec <&-; echo 1", "head -c 1 >/dev/null; echo 1", "echo 1"])
    func `a program may leave its input unread`(script: String) async throws {
        try await onLoop { loop in
            let payload = "\"\(String(repeating: "x", count: 1_000_000))\""
            #expect(await shell(script, on: loop).run(leasedJob(payload)).resultText == "1")
        }
    }

    @Test func `the attempt waits for a program that closes its outputs early`() async throws {
        try await onLoop { loop in
            let result = await shell("exec 1>&- 2>&- 3>&-; sleep 0.2; exit 65", on: loop).run(leasedJob())
            #expect(result == .failed(error: "exit code 65"))
        }
    }

    @Test(arguments: ["sleep 3600 & echo $!", "sleep 3600 >/dev/null 2>&1 3>&1 & echo $!"])
    func `background processes are killed with the program, whatever they hold open`(script: String) async throws {
        try await onLoop { loop in
            let start = MonotonicInstant.now()
            let result = await shell(script, on: loop).run(leasedJob())
            #expect(MonotonicInstant.now() - start < .seconds(30))
            let pid = try #require(Int32(result.resultText ?? ""))
            #expect(try await eventually(loop) { !isAlive(pid) })
        }
    }

    @Test func `output of a background process shortly after the program's end is read`() async throws {
        try await onLoop { loop in
            var command = shell("(sleep 0.05; echo '\"late\"') & exit 0", on: loop).command
            command.drainAfterExit = .seconds(60)
            let result = await ExecHandler(command: command, loop: loop).run(leasedJob())
            #expect(result.resultText == "\"late\"")
        }
    }

    @Test func `a daemon outside the group that holds the pipes does not delay the attempt`() async throws {
        try await onLoop { loop in
            let start = MonotonicInstant.now()
            let result = await shell("setsid sh -c 'echo $$; exec sleep 3600' & sleep 0.2", on: loop).run(leasedJob())
            #expect(MonotonicInstant.now() - start < .seconds(30))
            let pid = try #require(Int32(result.resultText ?? ""))
            #expect(kill(pid, SIGKILL) == 0)
        }
    }

    @Test func `a missing or unusable program is a retry`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let script = await scratch.writeProgram("run", "#!/no/such/interpreter\n", on: loop)
            for (path, reason) in [("/no/such", "No such file or directory"), (script, "No such file or directory")] {
                let command = ExecCommand(executable: path, arguments: ["x"], workingDirectory: "/")
                let result = await ExecHandler(command: command, loop: loop).run(leasedJob())
                #expect(result.retryError == "cannot start \(path): exec \(path): \(reason)")
            }
        }
    }
}
