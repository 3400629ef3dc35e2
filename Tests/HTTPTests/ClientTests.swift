import EventLoop
import Synchronization
import Testing
import Values

@testable import HTTP

struct ClientTests {
    /// A client on the test server's client loop, which counts its connections.
    private final class CountingClient: Sendable {
        let client: Client
        let connections = Count()

        init(_ server: TestServer, limits: ClientLimits = ClientLimits()) {
            let connections = connections
            client = Client(on: server.clientLoop, limits: limits) { origin, loop, deadline in
                _ = connections.add()
                guard let address = origin.address else { throw StreamError.failed("no address") }
                return try await Socket.connect(to: address, on: loop, deadline: deadline)
            }
        }
    }

    private static func origin(_ server: TestServer) -> Origin {
        Origin(host: "example.org", port: 80, address: server.address)
    }

    @Test func `requests reuse an idle connection`() async throws {
        let server = try TestServer(ServerTests.routes)
        let counting = CountingClient(server)
        let origin = Self.origin(server)
        try await onLoop(server.clientLoop) {
            for number in 1...5 {
                let body = Array("[\(number)]".utf8)
                let request = ClientRequest(.post, "/echo", contentType: .json, body: body)
                let response = try await counting.client.send(request, to: origin, deadline: .soon)
                #expect(response.status == .created)
                #expect(response.body == body + [UInt8(ascii: "\n")])
                let head = try await counting.client.send(ClientRequest(.head, "/hello"), to: origin, deadline: .soon)
                #expect(head.body.isEmpty)
            }
        }
        #expect(counting.connections.count == 1)
    }

    @Test func `the Host field has the name, and the connection goes to the address`() async throws {
        let server = try TestServer { router in
            router.on(.get, "/host", access: .open) { request, _ in .text(request.head.authority ?? "") }
        }
        let client = Client(on: server.clientLoop)
        let port = try #require(server.address.port)
        try await onLoop(server.clientLoop) {
            for (origin, host) in [
                (Origin(host: "example.org", port: 80, address: server.address), "example.org"),
                (Origin(host: "example.org", port: 81, address: server.address), "example.org:81"),
                (Origin(host: "::1", port: 80, address: server.address), "[::1]"),
                (Origin(host: "localhost", port: port), "localhost:\(port)"),
            ] {
                let response = try await client.send(ClientRequest(.get, "/host"), to: origin, deadline: .soon)
                #expect(String(decoding: response.body, as: UTF8.self) == host)
            }
            client.closeIdle()
        }
    }

    @Test func `a malformed target, host or field is not sent`() async throws {
        let server = try TestServer(ServerTests.routes)
        let counting = CountingClient(server)
        let origin = Self.origin(server)
        try await onLoop(server.clientLoop) {
            for target in ["", "hello", "/a b", "/a\r\nX: y", "/\u{e9}", "*"] {
                await #expect(throws: ClientError.self) {
                    try await counting.client.send(ClientRequest(.get, target), to: origin, deadline: .soon)
                }
            }
            var named = origin
            named.host = "a\r\nX: y"
            await #expect(throws: ClientError.self) {
                try await counting.client.send(ClientRequest(.get, "/hello"), to: named, deadline: .soon)
            }
        }
        #expect(counting.connections.count == 0)
        var request = ClientRequest(.get, "/")
        #expect(throws: InvalidField.self) { try request.add(name: "X", "a\r\nb") }
        #expect(throws: InvalidField.self) { try request.add(name: "host", "h") }
        #expect(throws: InvalidField.self) { try request.add(.contentLength, "1") }
        #expect(throws: Never.self) { try request.add(.xRequestID, "me") }
    }

    /// A listener that answers each connection with prepared bytes, after it has read a head, and then closes it.
    private static func answering(
        _ texts: [String], on loop: Loop, limits: ClientLimits = ClientLimits(), _ method: HTTP.Method = .get,
        requests: Int = 1
    ) async throws -> [Result<ClientResponse, ClientError>] {
        try await onLoop(loop) {
            let listener = try Listener(address: .loopback(port: 0))
            let origin = Origin(host: "h", port: 80, address: listener.address)
            loop.spawn {
                for text in texts {
                    guard let socket = try? await listener.accept(on: loop).attach(to: loop) else { return }
                    var head: [UInt8] = []
                    while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
                        guard (try? await socket.read(into: &head, atMost: 4096, deadline: .soon)) ?? 0 > 0 else {
                            break
                        }
                    }
                    try? await socket.write(Array(text.utf8), deadline: .soon)
                    socket.close()
                }
            }
            let client = Client(on: loop, limits: limits)
            var results: [Result<ClientResponse, ClientError>] = []
            for _ in 1...requests {
                do throws(ClientError) {
                    results.append(
                        .success(try await client.send(ClientRequest(method, "/"), to: origin, deadline: .soon)))
                } catch {
                    results.append(.failure(error))
                }
            }
            listener.close { _ in }
            return results
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n", "abcd"),
        (
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            "x"
        ),
        ("HTTP/1.1 204 None\r\n\r\n", ""), ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", ""),
    ])
    func `a response is read up to its end`(text: String, body: String) async throws {
        let loop = try Loop.start(label: "client")
        defer { loop.stop() }
        let result = try await Self.answering([text], on: loop)[0]
        #expect(try String(decoding: result.get().body, as: UTF8.self) == body)
    }

    @Test(arguments: [
        ("", ClientError.disconnected("closed by the server")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", .disconnected("closed by the server")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", .disconnected("closed by the server")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", .bodyTooLarge(bytesMax: 10)),
        ("HTTP/1.1 200 OK\r\n\r\n01234567890", .bodyTooLarge(bytesMax: 10)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n", .bodyTooLarge(bytesMax: 10)),
        ("HTTP/1.1 101 Switch\r\n\r\n", .invalidResponse("unexpected interim responses")),
    ])
    func `a truncated or overlong response is an error`(text: String, error: ClientError) async throws {
        let loop = try Loop.start(label: "client")
        defer { loop.stop() }
        var limits = ClientLimits()
        limits.bodyBytesMax = 10
        let result = try await Self.answering([text], on: loop, limits: limits)[0]
        #expect(throws: error) { try result.get() }
    }

    @Test func `a repeatable request succeeds after the server closed the idle connection`() async throws {
        let loop = try Loop.start(label: "client")
        defer { loop.stop() }
        // The server announces a persistent connection, and closes it.
        let kept = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
        let results = try await Self.answering([kept, kept], on: loop, requests: 2)
        #expect(results.map { (try? $0.get())?.status } == [.ok, .ok])
        // A connection that was idle for longer is probed before use, so that even a POST succeeds.
        var limits = ClientLimits()
        limits.probeAfter = .zero
        let posts = try await Self.answering([kept, kept], on: loop, limits: limits, .post, requests: 2)
        #expect(posts.map { (try? $0.get())?.status } == [.ok, .ok])
    }

    @Test func `a request without a response ends at its deadline`() async throws {
        let entered = Gate()
        let leave = Gate()
        let server = try TestServer { router in
            router.on(.get, "/slow", access: .open) { _, _ in
                entered.open()
                await leave.wait()
                return .text("late")
            }
        }
        let client = Client(on: server.clientLoop)
        let origin = Self.origin(server)
        _ = try await onLoop(server.clientLoop) {
            await #expect(throws: ClientError.timedOut) {
                try await client.send(ClientRequest(.get, "/slow"), to: origin, deadline: .now() + .milliseconds(50))
            }
        }
        await entered.wait()
        leave.open()
    }

    @Test func `a refused connection is reported as notConnected`() async throws {
        let loop = try Loop.start(label: "client")
        defer { loop.stop() }
        try await onLoop(loop) {
            let listener = try Listener(address: .loopback(port: 0))
            let address = listener.address
            listener.close { _ in }
            let client = Client(on: loop)
            do throws(ClientError) {
                _ = try await client.send(
                    ClientRequest(.get, "/"), to: Origin(host: "h", port: 80, address: address), deadline: .soon)
                Issue.record("connected to a closed port")
            } catch {
                guard case .notConnected = error else { throw error }
            }
        }
    }

    @Test func `idle connections are limited in number and age`() {
        final class Idle: ByteStream {
            func read(
                into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
            ) async throws(StreamError) -> Int { 0 }
            func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {}
            func closeWriting() {}
            func close() {}
        }
        var limits = ClientLimits()
        limits.idlePerEndpointMax = 2
        limits.idleMax = 3
        limits.idleTimeout = .seconds(10)
        var idle = IdleConnections(limits: limits)
        func keep(_ host: String, at second: Int64) -> Int {
            let instant = MonotonicInstant(nanoseconds: second * 1_000_000_000)
            return idle.keep(ClientConnection(Idle(), idleSince: instant), for: Origin(host: host, port: 80)).count
        }
        #expect(keep("a", at: 0) == 0)
        #expect(keep("a", at: 1) == 0)
        #expect(keep("a", at: 2) == 1)
        #expect(keep("b", at: 3) == 0)
        #expect(keep("c", at: 4) == 1)
        #expect(idle.count == 3)
        // The connections of seconds 0 and 1 have expired.
        #expect(keep("c", at: 11) == 2)
        #expect(idle.count == 2)
        #expect(idle.take(Origin(host: "b", port: 80))?.idleSince.nanoseconds == 3_000_000_000)
        #expect(idle.take(Origin(host: "b", port: 80)) == nil)
        #expect(idle.removeAll().count == 1)
        #expect(idle.count == 0)
    }
}
