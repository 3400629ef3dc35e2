internal import CLinux
internal import Glibc
public import Values

/// A user of the system, with the group of its entry.
public struct SystemUser: Hashable, Sendable {
    public let name: String
    public let user: UInt32
    public let group: UInt32
    public let home: String

    /// nil: there is no such user.
    public init?(named name: String) {
        guard let entry = getpwnam(name) else { return nil }
        self.name = name
        user = entry.pointee.pw_uid
        group = entry.pointee.pw_gid
        home = String(cString: entry.pointee.pw_dir)
    }

    /// Whether this process may start programs as another user.
    public static var canChange: Bool { geteuid() == 0 }
}

/// The program, arguments and environment of a child process.
public struct ProcessSpec: Hashable, Sendable {
    /// Path of the program. `PATH` is not searched; see `findExecutable`.
    public var executable: String
    /// Arguments, starting with the program's name (`argv[0]`).
    public var arguments: [String]
    /// The complete environment; nothing is inherited.
    public var environment: [String: String]
    /// Working directory; nil for the parent's.
    public var workingDirectory: String?
    /// The user that it runs as, without further groups; nil for the parent's. Others need root.
    public var user: SystemUser?

    public init(
        executable: String, arguments: [String], environment: [String: String] = [:], workingDirectory: String? = nil
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }

    /// The path of the executable `name`: `name` itself if it contains a slash, else the first executable file with
    /// that name in the directories of `searchPath`, separated by colons. Nil if there is none.
    public static func findExecutable(_ name: String, searchPath: String) -> String? {
        if name.utf8.contains(UInt8(ascii: "/")) {
            return access(name, X_OK) == 0 ? name : nil
        }
        for directory in searchPath.split(separator: ":") {
            let candidate = "\(directory)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }
}

/// How a child process ended.
public enum ProcessExit: Hashable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    public var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let number): "signal \(number) (\(String(cString: strsignal(number))))"
        }
    }
}

/// A running child process, owned by one event loop.
///
/// The process leads its own process group, so that a signal reaches its descendants too. If the loop's thread ends for
/// any reason, the kernel kills the process (`PR_SET_PDEATHSIG`), and `ProcessGuard`, if started, its descendants. The
/// process has four descriptors: standard input, output and error, and descriptor 3 for a structured result.
public final class ChildProcess: Sendable {
    public let pid: Int32
    public let standardInput: PipeEnd
    public let standardOutput: PipeEnd
    public let standardError: PipeEnd
    /// The read end of the child's descriptor 3.
    public let result: PipeEnd
    private let exit: ExitWatch
    /// Index in the table of `ProcessGuard`; negative without a guard.
    private let guardSlot: Int32

    /// Starts a program. Blocks the thread until the program's file is loaded.
    ///
    /// Throws the failed call with its subject and cause: `exec /opt/send.py: Permission denied`, `fork: Resource
    /// temporarily unavailable`, `pipe2: Too many open files`.
    /// - Precondition: called on the loop.
    /// - Parameter killAt: see `killAt(_:)`. It holds from before the start: the program does not start after it.
    public init(_ spec: ProcessSpec, killAt: MonotonicInstant? = nil, on loop: Loop) throws(SystemError) {
        let input = try PipePair()
        let output = try PipePair()
        let errors = try PipePair()
        let result = try PipePair()
        let slot = clinux_guard_reserve(killAt?.nanoseconds ?? 0)
        guardSlot = slot
        do throws(SystemError) {
            pid = try Self.spawn(
                spec, [input.reading.number, output.writing.number, errors.writing.number, result.writing.number],
                guardSlot: slot, deadline: killAt)
        } catch {
            clinux_guard_leave(slot)
            throw error
        }
        let pid = pid
        do throws(SystemError) {
            exit = try ExitWatch(pid, on: loop)
            standardInput = try PipeEnd(input.takeWriting(), on: loop)
            standardOutput = try PipeEnd(output.takeReading(), on: loop)
            standardError = try PipeEnd(errors.takeReading(), on: loop)
            self.result = try PipeEnd(result.takeReading(), on: loop)
        } catch {
            // Descriptors ran out after the start: the child must not keep running unobserved.
            Glibc.kill(-pid, SIGKILL)
            while waitpid(pid, nil, 0) < 0, errno == EINTR {}
            clinux_guard_leave(guardSlot)
            throw error
        }
    }

    deinit {
        clinux_guard_leave(guardSlot)
    }

    private static func spawn(
        _ spec: ProcessSpec, _ descriptors: [Int32], guardSlot: Int32, deadline: MonotonicInstant?
    ) throws(SystemError) -> Int32 {
        let environment = spec.environment.map { "\($0)=\($1)" }
        var step: UnsafePointer<CChar>?
        let pid = withStrings(spec.arguments) { arguments in
            withStrings(environment) { environment in
                spec.executable.withCString { path in
                    withOptionalString(spec.workingDirectory) { directory in
                        var spawn = clinux_spawn_spec(
                            path: path, arguments: arguments, environment: environment, directory: directory,
                            descriptors: (descriptors[0], descriptors[1], descriptors[2], descriptors[3]),
                            guard_slot: guardSlot, deadline: deadline?.nanoseconds ?? 0,
                            changes_user: spec.user == nil ? 0 : 1, user: spec.user?.user ?? 0,
                            group: spec.user?.group ?? 0)
                        return clinux_spawn(&spawn, &step)
                    }
                }
            }
        }
        guard pid < 0 else { return pid }
        let number = errno
        let call = step.map { String(cString: $0) } ?? "spawn"
        let subject = call == "chdir" ? spec.workingDirectory ?? "" : call == "exec" ? spec.executable : ""
        throw SystemError(call, on: subject, number: number)
    }

    /// Waits for the process to exit. Any number of tasks may wait, before and after the exit.
    public func waitForExit() async -> ProcessExit {
        await exit.wait()
    }

    /// How the process ended; nil while it runs.
    public var exited: ProcessExit? { exit.status }

    /// Sends a signal to the process group. Descendants receive it even after the process itself has exited.
    public func signalGroup(_ number: Int32) {
        Glibc.kill(-pid, number)
    }

    /// Sets the deadline at which `ProcessGuard` kills the process group, even if this process is stopped or hangs. A
    /// later call replaces it. Without a guard there is no effect.
    public func killAt(_ instant: MonotonicInstant) {
        clinux_guard_deadline(guardSlot, instant.nanoseconds)
    }

    /// Closes the parent's ends of all four pipes.
    public func closeDescriptors() {
        standardInput.close()
        standardOutput.close()
        standardError.close()
        result.close()
    }
}

/// One end of a pipe. Reading from the write end, and writing to the read end, fails.
public final class PipeEnd: ByteStream {
    private let stream: DescriptorStream

    init(_ descriptor: Int32, on loop: Loop) throws(SystemError) {
        stream = try DescriptorStream(descriptor, on: loop)
    }

    public func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int {
        try await stream.read(into: &buffer, atMost: atMost, deadline: deadline)
    }

    public func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {
        try await stream.write(bytes, deadline: deadline)
    }

    public func closeWriting() {
        stream.close()
    }

    public func close() {
        stream.close()
    }
}

/// Reaps one child process when its pidfd becomes readable, which is when it exits.
private final class ExitWatch: @unchecked Sendable {
    private let loop: Loop
    private let pidfd: Int32
    private var watch: Watch?
    private(set) var status: ProcessExit?
    private var waiting: [CheckedContinuation<ProcessExit, Never>] = []

    init(_ pid: Int32, on loop: Loop) throws(SystemError) {
        self.loop = loop
        pidfd = try Syscall.check(clinux_pidfd_open(pid), "pidfd_open")
        do throws(SystemError) {
            // The watch keeps this object alive until the child is reaped, so that no zombie remains.
            watch = try loop.watch(pidfd, .readable) { _ in self.reap() }
        } catch {
            Syscall.close(pidfd)
            throw error
        }
    }

    private func reap() {
        var code: Int32 = 0
        var signalled: Int32 = 0
        guard clinux_reap(pidfd, &code, &signalled) != 0 else { return }
        let status = signalled != 0 ? ProcessExit.signal(code) : .code(code)
        self.status = status
        watch?.cancel()
        watch = nil
        Syscall.close(pidfd)
        for continuation in waiting { continuation.resume(returning: status) }
        waiting = []
    }

    func wait() async -> ProcessExit {
        loop.preconditionCurrent()
        if let status { return status }
        return await withCheckedContinuation { waiting.append($0) }
    }
}

/// Both ends of a new pipe. An end that is not taken is closed.
private struct PipePair: ~Copyable {
    var reading: OwnedDescriptor
    var writing: OwnedDescriptor

    init() throws(SystemError) {
        let ends = try Syscall.pipe()
        reading = OwnedDescriptor(ends.reading)
        writing = OwnedDescriptor(ends.writing)
    }

    consuming func takeReading() -> Int32 { reading.release() }
    consuming func takeWriting() -> Int32 { writing.release() }
}

/// Calls `body` with a nil-terminated array of C strings.
private func withStrings<Value>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
) -> Value {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
}

private func withOptionalString<Value>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Value) -> Value {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
