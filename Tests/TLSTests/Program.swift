import EventLoop
import Values

/// Runs `body` as a task of a loop of its own and gives back what it returns.
func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (Loop) async throws -> Value
) async throws -> Value {
    let loop = try Loop.start(label: "tls test")
    defer { loop.stop() }
    return try await Task(executorPreference: loop) { try await body(loop) }.value
}

/// A program that runs beside a test, with what it has said.
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

    /// Finds the program where the system keeps it, and starts it.
    convenience init(_ name: String, _ arguments: [String], on loop: Loop) throws {
        guard let executable = ProcessSpec.findExecutable(name, searchPath: "/usr/local/bin:/usr/bin:/bin") else {
            throw StreamError.failed("\(name) is not installed")
        }
        try self.init(ProcessSpec(executable: executable, arguments: [name] + arguments), on: loop)
    }

    /// Gives it its standard input, and waits for its end.
    func finish(input: String = "") async throws -> Finished {
        let output = Task(executorPreference: loop) { [child] in try await readAll(child.standardOutput) }
        let errors = Task(executorPreference: loop) { [child] in try await readAll(child.standardError) }
        // A program that wants no input may have ended already.
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

/// All that comes before the end of the stream.
func readAll(_ stream: any ByteStream) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while try await stream.read(into: &bytes, atMost: 65_536, deadline: .now() + .seconds(30)) > 0 {}
    return bytes
}

/// So many bytes, or the test fails.
func read(_ byteCount: Int, from stream: any ByteStream) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
        let count = try await stream.read(
            into: &bytes, atMost: byteCount - bytes.count, deadline: .now() + .seconds(30))
        guard count > 0 else { throw StreamError.disconnected }
    }
    return bytes
}

/// Two connected sockets over loopback, both on `loop`.
func socketPair(on loop: Loop) async throws -> (client: Socket, server: Socket) {
    let listener = try Listener(address: .loopback(port: 0))
    async let accepted = listener.accept(on: loop).attach(to: loop)
    let client = try await Socket.connect(to: listener.address, on: loop, deadline: nil)
    let server = try await accepted
    listener.close { _ in }
    return (client, server)
}
