import EventLoop
import Synchronization
import Telemetry
import Testing
import Values

@testable import HTTP

/// Runs `body` as a task of `loop`, and waits for it.
func onLoop<Value: Sendable>(
    _ loop: Loop, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        loop.spawn {
            do {
                continuation.resume(returning: try await body())
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}

/// A server on loopback with its own event loops, and a loop for the client side.
final class TestServer: Sendable {
    let server: Server
    let address: SocketAddress
    let registry = MetricRegistry()
    let log = CollectedLog()
    let clientLoop: Loop
    private let loops: [Loop]

    init(
        limits: ServerLimits = ServerLimits(), authorizer: Router.Authorizer? = nil,
        translateError: @escaping Router.ErrorTranslator = { _, _ in nil }, upgrade: Server.StreamUpgrade? = nil,
        _ register: (inout Router) -> Void
    ) throws {
        loops = [try Loop.start(label: "server-0"), try Loop.start(label: "server-1")]
        clientLoop = try Loop.start(label: "client")
        var router = Router(authorizer: authorizer, translateError: translateError)
        register(&router)
        server = Server(
            router: router, limits: limits, loops: loops, metrics: registry,
            logger: Logger(component: "http", level: .debug, sink: log))
        address = try server.listen(on: .loopback(port: 0), upgrade: upgrade)
    }

    deinit {
        for loop in loops + [clientLoop] { loop.stop() }
    }

    /// Connects, and calls `body` with the connection on the client's loop.
    func connected<Value: Sendable>(
        _ body: @escaping @Sendable (RawConnection) async throws -> Value
    ) async throws -> Value {
        try await onLoop(clientLoop) { [self] in
            let socket = try await Socket.connect(to: address, on: clientLoop, deadline: .soon)
            let connection = RawConnection(socket)
            defer { socket.close() }
            return try await body(connection)
        }
    }

    /// Sends `text` on a new connection. Returns all responses until the server closes it.
    func exchange(_ text: String) async throws -> [RawResponse] {
        try await connected { connection in
            try await connection.send(text)
            return try await connection.responsesToEnd()
        }
    }
}

extension MonotonicInstant {
    /// Long enough for a loaded machine, short enough for a test that hangs.
    static var soon: MonotonicInstant { .now() + .seconds(10) }
}

struct RawResponse: Sendable {
    let head: ResponseHead
    let body: [UInt8]

    var status: Int { head.status.code }
    var text: String { String(decoding: body, as: UTF8.self) }

    func field(_ name: String) -> String? { head.fields.text(named: name) }
}

/// A connection on which the test sends raw bytes. Used on the client's loop.
final class RawConnection: @unchecked Sendable {
    struct Incomplete: Error {}

    let socket: Socket
    private var buffer: [UInt8] = []

    init(_ socket: Socket) {
        self.socket = socket
    }

    func send(_ text: String) async throws {
        try await socket.write(Array(text.utf8), deadline: .soon)
    }

    /// The next response. It must have a `Content-Length`, unless a response to `method` has no body.
    func response(to method: HTTP.Method = .get) async throws -> RawResponse {
        guard let response = try await nextResponse(to: method) else { throw Incomplete() }
        return response
    }

    /// The next response; nil if the server has closed the connection after complete responses.
    func nextResponse(to method: HTTP.Method = .get) async throws -> RawResponse? {
        while true {
            var parser = ResponseParser()
            switch parser.parse(buffer, from: 0) {
            case .complete(let head, let consumed):
                var length = 0
                if case .length(let bytes) = head.bodyEnd(answering: method) { length = bytes }
                if buffer.count >= consumed + length {
                    let body = Array(buffer[consumed..<consumed + length])
                    buffer.removeSubrange(..<(consumed + length))
                    return RawResponse(head: head, body: body)
                }
            case .invalid(let violation): throw violation
            case .needMore: break
            }
            if try await socket.read(into: &buffer, atMost: 65_536, deadline: .soon) == 0 {
                guard buffer.isEmpty else { throw Incomplete() }
                return nil
            }
        }
    }

    /// All responses until the server closes the connection. A reset throws.
    func responsesToEnd() async throws -> [RawResponse] {
        var responses: [RawResponse] = []
        while let response = try await nextResponse() { responses.append(response) }
        return responses
    }
}

/// A gate by which a handler waits for the test, or the test for the handler.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// Polls a condition of the other side for which there is no signal, up to the deadline of a test.
func eventually(_ condition: @Sendable () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let deadline = MonotonicInstant.soon
    while !condition() {
        guard MonotonicInstant.now() < deadline else {
            Issue.record("the condition did not become true in time", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// A counter shared by several tasks.
final class Count: Sendable {
    private let number = Atomic<Int>(0)

    var count: Int { number.load(ordering: .relaxed) }

    /// Returns the count with this one.
    func add() -> Int { number.wrappingAdd(1, ordering: .relaxed).newValue }
}
