import EventLoop
import Glibc
import Jobs
import Postgres
import Testing
import Values

@testable import Worker

/// Runs `body` as a task of a new loop with its own thread.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (Loop) async throws -> Value
) async throws -> Value {
    let loop = try Loop.start(label: "handlers test")
    defer { loop.stop() }
    return try await Task(executorPreference: loop) { try await body(loop) }.value
}

/// An ordinary attempt.
func leasedJob(type: String = "test", _ payload: String = "null", attempt: Int16 = 1) -> LeasedJob {
    LeasedJob(
        id: UUID(high: 0x0190_163D_8694_739B, low: 0xAEA5_966C_26F8_AD91), type: type, typeID: 1, queue: "default",
        payload: Array(payload.utf8), attempt: attempt, maxAttempts: 25, token: 77, timeoutSeconds: 300,
        traceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", waitSeconds: 0)
}

/// A handler that runs a shell script in `/`.
func shell(
    _ script: String, environment: [String: String] = [:], timeout: Duration? = nil,
    killGrace: Duration = .seconds(20), on loop: Loop
) -> ExecHandler {
    let command = ExecCommand(
        executable: "/bin/sh", arguments: ["sh", "-c", script], environment: environment, workingDirectory: "/",
        timeout: timeout, killGrace: killGrace)
    return ExecHandler(command: command, loop: loop)
}

extension Handler {
    /// One attempt without a cancellation.
    func run(_ job: LeasedJob) async -> AttemptResult {
        await run(job, cancellation: Cancellation())
    }

    /// One attempt without progress reports.
    func run(_ job: LeasedJob, cancellation: Cancellation) async -> AttemptResult {
        await run(job, cancellation: cancellation) { _ in }
    }
}

extension AttemptResult {
    /// The result of a success as text; nil for every other outcome, and for a success without a result.
    var resultText: String? {
        guard case .succeeded(let result?) = self else { return nil }
        return String(decoding: result, as: UTF8.self)
    }

    /// The message of a failure that may be retried.
    var retryError: String? {
        guard case .retry(let error, _) = self else { return nil }
        return error
    }

    /// The message of a permanent failure.
    var finalError: String? {
        guard case .failed(let error) = self else { return nil }
        return error
    }
}

/// Whether a process runs; false for a zombie.
func isAlive(_ pid: Int32) -> Bool {
    guard let file = fopen("/proc/\(pid)/stat", "re") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    guard fgets(&line, 512, file) != nil else { return false }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // pid (name) state: the name may contain anything, also parentheses.
    guard let end = text.lastIndex(of: ")") else { return false }
    return !text[end...].dropFirst(2).hasPrefix("Z")
}

/// Waits until `condition` holds, for at most a minute: for effects of the kernel that have no signal.
func eventually(_ loop: Loop, _ condition: () -> Bool) async throws -> Bool {
    for _ in 0..<6_000 {
        if condition() { return true }
        try await loop.sleep(for: .milliseconds(10))
    }
    return false
}

/// A directory of one test, removed after it.
final class ScratchDirectory: Sendable {
    /// Placeholder for the path in the arguments of a test.
    static let placeholder = "SCRATCH"

    let path: String

    init() throws {
        var template = Array("/tmp/jobqueue-handlers-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        path = String(cString: try #require(made))
    }

    deinit {
        var names: [String] = []
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                names.append(
                    withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    })
            }
            closedir(directory)
        }
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// Writes a program, and returns its path. Another process writes it: a child that another test starts at the same
    /// time would inherit this process's descriptor until its `exec`, and the program would be busy (ETXTBSY).
    @discardableResult
    func writeProgram(_ name: String, _ text: String, on loop: Loop) async -> String {
        let file = "\(path)/\(name)"
        let result = await shell("cat >'\(file)' && chmod 755 '\(file)'", on: loop).run(leasedJob(text))
        #expect(result == .succeeded(result: nil))
        return file
    }

    /// Writes a file, and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        let handle = try #require(fopen(file, "we"))
        let bytes = Array(text.utf8)
        #expect(fwrite(bytes, 1, bytes.count, handle) == bytes.count)
        fclose(handle)
        return file
    }
}

enum TextOf {
    /// nil if it cannot be opened.
    static func file(_ path: String) -> String? {
        guard let handle = fopen(path, "re") else { return nil }
        defer { fclose(handle) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, handle)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
