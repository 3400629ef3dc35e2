import EventLoop
import Values

/// Runs `body` as a task of a new loop. Returns its result.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (Loop) async throws -> Value
) async throws -> Value {
    let loop = try Loop.start(label: "tls test")
    defer { loop.stop() }
    return try await Task(executorPreference: loop) { try await body(loop) }.value
}

/// A program started by a test, with its output.
final class Program: Sendable {
    struct Finished: Sendable {
        let exit: ProcessExit
        let output: String
        let errors: String
    }

    let child: ChildProcess
    private let loop: Loop

    init(_ spec: ProcessSpec, on loop: Loop) throws {
        child = try ChildProcess(spec, on: loop)
        self.loop = loop
    }

    /// Starts a program of the system.
    convenience init(_ name: String, _ arguments: [String], on loop: Loop) throws {
        guard let executable = ProcessSpec.findExecutable(name, searchPath: "/usr/local/bin:/usr/bin:/bin") else {
            throw StreamError.failed("\(name) is not installed")
        }
        try self.init(ProcessSpec(executable: executable, arguments: [name] + arguments), on: loop)
    }

    /// Writes the standard input and waits for the exit.
    func finish(input: String = "") async throws -> Finished {
        let output = Task(executorPreference: loop) { [child] in try await readAll(child.standardOutput) }
        let errors = Task(executorPreference: loop) { [child] in try await readAll(child.standardError) }
        // Fails if the program has exited without reading its input.
        try? await child.standardInput.write(Array(input.utf8), deadline: .now() + .seconds(30))
        child.standardInput.closeWriting()
        let exit = await child.waitForExit()
        let finished = Finished(
            exit: exit, output: String(decoding: try await output.value, as: UTF8.self),
            errors: String(decoding: try await errors.value, as: UTF8.self))
        child.closeDescriptors()
        return finished
    }
}

/// All bytes up to the end of the stream.
func readAll(_ stream: any ByteStream) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while try await stream.read(into: &bytes, atMost: 65_536, deadline: .now() + .seconds(30)) > 0 {}
    return bytes
}

/// Exactly `byteCount` bytes. Throws if the stream ends before.
func read(_ byteCount: Int, from stream: any ByteStream) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
        let count = try await stream.read(
            into: &bytes, atMost: byteCount - bytes.count, deadline: .now() + .seconds(30))
        guard count > 0 else { throw StreamError.disconnected }
    }
    return bytes
}

/// A pair of connected sockets over loopback, both on `loop`.
func socketPair(on loop: Loop) async throws -> (client: Socket, server: Socket) {
    let listener = try Listener(address: .loopback(port: 0))
    async let accepted = listener.accept(on: loop).attach(to: loop)
    let client = try await Socket.connect(to: listener.address, on: loop, deadline: nil)
    let server = try await accepted
    listener.close { _ in }
    return (client, server)
}
