import EventLoop
import Glibc
import Jobs
import Testing
import Values

@testable import Worker

/// The handlers of `examples/first-steps`, unchanged.
@Suite struct FirstStepsTests {
    private static let folder: String = {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(root)/examples/first-steps"
    }()

    private func table(on loop: Loop) throws -> HandlerTable {
        var worker = HandlerDependencies(loop: loop)
        worker.webhookAllow = try #require(WebhookAllowList(["127.0.0.1"]))
        return try HandlersFile.load(path: "\(Self.folder)/handlers.json", for: worker)
    }

    /// `files.sha256` with another root.
    private func hashing(below root: String, on loop: Loop) throws -> ExecHandler {
        let handler = try #require(try table(on: loop).handler(for: "files.sha256") as? ExecHandler)
        var command = handler.command
        command.environment["ALLOWED_ROOT"] = root
        return ExecHandler(command: command, loop: loop)
    }

    @Test(arguments: [
        #"{"path":"dir/file"}"#, #"{"path": "dir/file"}"#, #"{"path":"inner"}"#, #"{"path":"dir/../file é"}"#,
    ])
    func `files sha256 equals the output of sha256sum`(payload: String) async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            _ = await shell(
                """
                cd \(scratch.path) && mkdir dir && echo content >dir/file && echo content >'file é' && ln -s dir/file inner
                """, on: loop
            ).run(leasedJob())
            let result = try await hashing(below: scratch.path, on: loop).run(leasedJob(payload))
            let sum = await shell("echo content | sha256sum | cut -c 1-64", on: loop).run(leasedJob()).resultText
            #expect(result.resultText?.contains("\"sha256\":\(try #require(sum))") == true)
            _ = await shell("rm -r \(scratch.path)/*", on: loop).run(leasedJob())
        }
    }

    @Test(arguments: [
        "/etc/passwd", "../secret", "dir/../../secret", "outside", "outside/passwd", "loop", "dir", "fifo", "", ".",
        "none", "$(cat ../secret)", "-", #"a\"b"#, #"\u002e\u002e/secret"#, #"x","path":"y"#,
    ])
    func `files sha256 fails permanently for a path that is not a file below its root`(path: String) async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            _ = await shell(
                """
                cd \(scratch.path) && mkdir -p root/dir && echo secret >secret && cd root && ln -s ../secret outside \
                && ln -s loop loop && mkfifo fifo
                """, on: loop
            ).run(leasedJob())
            let handler = try hashing(below: "\(scratch.path)/root", on: loop)
            let result = await handler.run(leasedJob("{\"path\":\"\(path)\"}"))
            #expect(result.finalError?.hasPrefix("exit code 65: ") == true)
            _ = await shell("rm -r \(scratch.path)/*", on: loop).run(leasedJob())
        }
    }

    @Test(arguments: ["null", "[]", #"{"file":"x"}"#, #"{"path":1}"#])
    func `files sha256 fails permanently for an invalid payload`(payload: String) async throws {
        try await onLoop { loop in
            let result = try await hashing(below: "/usr", on: loop).run(leasedJob(payload))
            #expect(result.finalError?.hasPrefix("exit code 65: the payload must be") == true)
        }
    }

    @Test func `the output of text gzip decompresses to the payload`() async throws {
        try await onLoop { loop in
            let handler = try #require(try table(on: loop).handler(for: "text.gzip"))
            let payload = #""\#(String(repeating: "all work and no play ", count: 100))""#
            let result = try #require(await handler.run(leasedJob(payload)).resultText)
            #expect(result.hasPrefix("{\"bytes\":2102,\"gzip_bytes\":"))
            let unpack = shell("tr -d '\\n' | sed 's/.*\"gzip_base64\":\"//; s/\".*//' | base64 -d | gzip -d", on: loop)
            #expect(await unpack.run(leasedJob(result)).resultText == payload)
        }
    }

    @Test(.enabled(if: ProcessSpec.findExecutable("python3", searchPath: ExecCommand.searchPath) != nil))
    func `the receiver accepts only signed requests, and runs each job once`() async throws {
        try await onLoop { loop in
            let python = try #require(ProcessSpec.findExecutable("python3", searchPath: ExecCommand.searchPath))
            let spec = ProcessSpec(
                executable: python, arguments: ["python3", "\(Self.folder)/receiver.py", "0"], workingDirectory: "/")
            let receiver = try ChildProcess(spec, on: loop)
            var output: [UInt8] = []
            while !output.contains(UInt8(ascii: "\n")) {
                let count = try await receiver.standardOutput.read(
                    into: &output, atMost: 1_000, deadline: .now() + .seconds(60))
                try #require(count > 0)
            }
            let line = String(decoding: output, as: UTF8.self)
            let url = String(try #require(line.split(separator: " ").last).dropLast())
            #expect(url.hasPrefix("http://127.0.0.1:") && url.hasSuffix("/jobs"))

            let table = try table(on: loop)
            let named = try #require(table.handler(for: "hook.receiver") as? WebhookHandler)
            let secret = String(decoding: try #require(named.secret), as: UTF8.self)
            let handler = try webhook(url, secret: secret, on: loop)
            let first = try #require(await handler.run(leasedJob("{\"a\": 1}")).resultText)
            #expect(first.hasPrefix("{\"received\": {\"a\": 1}, \"at\": "))
            #expect(await handler.run(leasedJob("{\"a\": 2}", attempt: 2)).resultText == first)

            let stranger = try webhook(url, secret: "some other secret of 32 characters", on: loop)
            #expect(await stranger.run(leasedJob()) == .failed(error: "the receiver responded with 401 Unauthorized"))
            let unsigned = try webhook(url, on: loop)
            #expect(await unsigned.run(leasedJob()) == .failed(error: "the receiver responded with 401 Unauthorized"))
            receiver.signalGroup(Signals.kill)
            _ = await receiver.waitForExit()
            receiver.closeDescriptors()
        }
    }
}
