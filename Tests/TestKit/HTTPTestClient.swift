import EventLoop
import Synchronization
import Values

/// Sends requests to a server on the loopback address, each on its own connection.
public struct HTTPTestClient: Sendable {
    /// Headers of every request; a header of the request with the same name replaces one.
    public var headers: [(name: String, value: String)]
    /// The value of `Host`.
    private let authority: String
    private let open: @Sendable () async throws -> HTTPTestConnection

    /// - Parameter key: sent as `Authorization: Bearer key`.
    public init(port: UInt16, key: String? = nil) {
        self.init(authority: "127.0.0.1:\(port)", key: key) { try await HTTPTestConnection.open(port: port) }
    }

    /// To a server in this process, without a stream.
    /// - Parameter serve: serves one connection; called on `TestLoop`.
    public init(key: String? = nil, serve: @escaping @Sendable (MemoryStream) async -> Void) {
        self.init(authority: "in-process", key: key) {
            await TestLoop.run {
                let (client, server) = MemoryStream.pair()
                TestLoop.shared.spawn { await serve(server) }
                return HTTPTestConnection(client)
            }
        }
    }

    private init(authority: String, key: String?, open: @escaping @Sendable () async throws -> HTTPTestConnection) {
        self.authority = authority
        self.open = open
        headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
    }

    /// Sends one request, with `Content-Type: application/json` if it has a body, and returns the final response.
    public func request(
        _ method: String, _ target: String, headers: [(name: String, value: String)] = [], body: String? = nil,
        within duration: Duration = .seconds(10)
    ) async throws -> HTTPTestResponse {
        let connection = try await connect()
        do {
            try await connection.send(message(method, target, headers: headers, body: body))
            let response = try await connection.response(to: method, within: duration)
            await connection.close()
            return response
        } catch {
            await connection.close()
            throw error
        }
    }

    public func get(_ target: String) async throws -> HTTPTestResponse {
        try await request("GET", target)
    }

    public func post(_ target: String, _ body: String) async throws -> HTTPTestResponse {
        try await request("POST", target, body: body)
    }

    /// A connection for keep-alive, pipelining, and malformed bytes.
    public func connect() async throws -> HTTPTestConnection {
        try await open()
    }

    /// The bytes that `request` sends.
    public func message(
        _ method: String, _ target: String, headers: [(name: String, value: String)] = [], body: String? = nil
    ) -> String {
        var fields = [(name: "Host", value: authority)] + headers
        if let body {
            fields.append(("Content-Length", String(body.utf8.count)))
            fields = Self.adding([("Content-Type", "application/json")], to: fields)
        }
        fields = Self.adding(self.headers, to: fields)
        let head = fields.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "\(method) \(target) HTTP/1.1\r\n\(head)\r\n\(body ?? "")"
    }

    private static func adding(
        _ defaults: [(name: String, value: String)], to fields: [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        fields + defaults.filter { given in !fields.contains { $0.name.lowercased() == given.name.lowercased() } }
    }
}

/// One connection to a server, for one task at a time.
public final class HTTPTestConnection: Sendable {
    private let stream: any ByteStream
    private let received = Mutex<[UInt8]>([])

    fileprivate init(_ stream: any ByteStream) {
        self.stream = stream
    }

    public static func open(port: UInt16, within duration: Duration = .seconds(10)) async throws -> HTTPTestConnection {
        try await TestLoop.run {
            HTTPTestConnection(
                try await Socket.connect(to: .loopback(port: port), on: TestLoop.shared, deadline: .now() + duration))
        }
    }

    public func send(_ text: String) async throws {
        try await send(Array(text.utf8))
    }

    public func send(_ bytes: [UInt8], within duration: Duration = .seconds(10)) async throws {
        try await TestLoop.run { [stream] in try await stream.write(bytes, deadline: .now() + duration) }
    }

    /// The next response; interim responses (1xx except 101) are skipped unless `interim`.
    public func response(
        to method: String = "GET", interim: Bool = false, within duration: Duration = .seconds(10)
    ) async throws -> HTTPTestResponse {
        try await TestLoop.run { [self] in
            let deadline = MonotonicInstant.now() + duration
            var isEnd = false
            while true {
                let reader = HTTPTestResponseReader(requestMethod: method, isEnd: isEnd)
                if case .response(let response, let length) = try reader.read(received.withLock { $0 }) {
                    received.withLock { $0.removeFirst(length) }
                    if interim || response.status >= 200 || response.status == 101 { return response }
                } else if isEnd {
                    throw HTTPTestFailure("the server closed within an answer", received: received.withLock { $0 })
                } else {
                    isEnd = try await receive(before: deadline) == 0
                }
            }
        }
    }

    /// All bytes until the server closes the connection. Throws if it does not within `duration`.
    public func rest(within duration: Duration = .seconds(10)) async throws -> [UInt8] {
        try await TestLoop.run { [self] in
            let deadline = MonotonicInstant.now() + duration
            while try await receive(before: deadline) > 0 {}
            return received.withLock { received in
                defer { received = [] }
                return received
            }
        }
    }

    private func receive(before deadline: MonotonicInstant) async throws -> Int {
        var chunk: [UInt8] = []
        do {
            let count = try await stream.read(into: &chunk, atMost: 65_536, deadline: deadline)
            received.withLock { $0 += chunk }
            return count
        } catch {
            throw HTTPTestFailure("reading the answer: \(error)", received: received.withLock { $0 })
        }
    }

    /// Closes the sending side; responses can still be read.
    public func closeWriting() async {
        await TestLoop.run { [stream] in stream.closeWriting() }
    }

    public func close() async {
        await TestLoop.run { [stream] in stream.close() }
    }
}
