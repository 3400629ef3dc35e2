import EventLoop
import Testing
import Values

@testable import HTTP

struct ServerLimitTests {
    private static let get = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"

    private static func limits(_ change: (inout ServerLimits) -> Void) -> ServerLimits {
        var limits = ServerLimits()
        change(&limits)
        return limits
    }

    @Test func `a head that arrives too slowly is answered with 408`() async throws {
        let server = try TestServer(limits: Self.limits { $0.headTimeout = .milliseconds(100) }, ServerTests.routes)
        let began = MonotonicInstant.now()
        let statuses = try await server.connected { connection in
            // A deadline counted from the last byte would be extended by each of these.
            for byte in Self.get.utf8.prefix(20) {
                do {
                    try await connection.socket.write([byte], deadline: .soon)
                    try await server.clientLoop.sleep(for: .milliseconds(20))
                } catch {
                    break
                }
            }
            return try await connection.responsesToEnd().map(\.status)
        }
        #expect(statuses == [408])
        #expect(MonotonicInstant.now() - began < .seconds(3))
    }

    @Test func `a connection without a request is closed without a response`() async throws {
        let server = try TestServer(
            limits: Self.limits {
                $0.headTimeout = .milliseconds(50)
                $0.idleTimeout = .milliseconds(100)
            }, ServerTests.routes)
        let nothing = try await server.exchange("")
        #expect(nothing.isEmpty)
        let one = try await server.exchange(Self.get)
        #expect(one.map(\.status) == [200])
    }

    @Test func `a body that stalls is answered with 408`() async throws {
        let server = try TestServer(limits: Self.limits { $0.bodyTimeout = .milliseconds(100) }, ServerTests.routes)
        for framing in ["Content-Length: 9\r\n\r\n[1,", "Transfer-Encoding: chunked\r\n\r\n9\r\n[1,"] {
            let responses = try await server.exchange(Self.post + framing)
            #expect(responses.map(\.status) == [408])
            #expect(responses.first?.field("Connection") == "close")
        }
    }

    @Test func `a body at the minimum rate may take longer than the timeout`() {
        var limits = ServerLimits()
        limits.bodyTimeout = .seconds(10)
        limits.bodyBytesPerSecondMin = 1_000
        let deadlines = Deadlines(limits)
        #expect(deadlines.body(received: 0) == 10_000_000_000)
        #expect(deadlines.body(received: 5_000) == 15_000_000_000)
        #expect(deadlines.body(received: Int.max) == Int64.max)
    }

    @Test func `100 Continue is sent only when the body is read`() async throws {
        let server = try TestServer(ServerTests.routes)
        try await server.connected { connection in
            try await connection.send(Self.post + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await connection.response().status == 100)
            try await connection.send("{}")
            #expect(try await connection.response().text == "{}\n")
            // A client that sends the body at once needs no 100.
            try await connection.send(Self.post + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n[]")
            #expect(try await connection.response().text == "[]\n")
        }
        let refused = try await server.exchange(
            Self.post + "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
        #expect(refused.map(\.status) == [413])
    }

    @Test func `a connection beyond the limit is answered with 503 at once`() async throws {
        let server = try TestServer(limits: Self.limits { $0.connectionsMax = 2 }, ServerTests.routes)
        try await server.connected { first in
            try await first.send(Self.get)
            _ = try await first.response()
            let second = try await Socket.connect(to: server.address, on: server.clientLoop, deadline: .soon)
            try await eventually { server.server.connectionCount == 2 }
            let third = try await Socket.connect(to: server.address, on: server.clientLoop, deadline: .soon)
            let refusal = try await RawConnection(third).responsesToEnd()
            #expect(refusal.map(\.status) == [503])
            #expect(refusal.first?.field("Retry-After") == "1")
            #expect(refusal.first?.field("Connection") == "close")
            third.close()
            second.close()
            try await eventually { server.server.connectionCount == 1 }
            let fourth = try await Socket.connect(to: server.address, on: server.clientLoop, deadline: .soon)
            let connection = RawConnection(fourth)
            try await connection.send(Self.get)
            #expect(try await connection.response().status == 200)
            fourth.close()
        }
    }

    private static let body = String(repeating: "1", count: 100_000)
    private static let upload = post + "Content-Length: 100000\r\n\r\n"

    /// A server whose budget is one body of `body`'s length.
    private func tightServer(bodyTimeout: Duration) throws -> TestServer {
        try TestServer(
            limits: Self.limits {
                $0.bodyBytesMax = 200_000
                $0.bodyBytesInFlightMax = 200_000
                $0.bodyTimeout = bodyTimeout
            }, ServerTests.routes)
    }

    @Test func `bodies beyond the budget wait for those before them`() async throws {
        let server = try tightServer(bodyTimeout: .seconds(60))
        try await server.connected { first in
            try await first.send(Self.upload + Self.body.dropLast())
            try await eventually { server.server.budget.bytesReserved == 2 * 64 * 1024 }
            try await server.connected { second in
                // One may exceed it.
                try await second.send(Self.upload + Self.body.dropLast())
                try await eventually { server.server.budget.bytesReserved == 4 * 64 * 1024 }
                try await server.connected { third in
                    try await third.send(Self.upload + Self.body)
                    try await eventually { server.server.budget.waitingCount == 1 }
                    // Small requests do not wait.
                    #expect(try await server.exchange("GET /hello HTTP/1.0\r\n\r\n").map(\.status) == [200])
                    try await second.send("1")
                    #expect(try await second.response().status == 201)
                    #expect(try await third.response().status == 201)
                }
            }
            try await first.send("1")
            #expect(try await first.response().status == 201)
        }
        try await eventually { server.server.budget.bytesReserved == 0 }
    }

    @Test func `a body that waits too long for the budget is refused`() async throws {
        let server = try tightServer(bodyTimeout: .milliseconds(200))
        try await server.connected { first in
            try await server.connected { second in
                try await first.send(Self.upload + Self.body.dropLast())
                try await second.send(Self.upload + Self.body.dropLast())
                try await eventually { server.server.budget.bytesReserved == 4 * 64 * 1024 }
                let refused = try await server.exchange(Self.upload + Self.body)
                #expect(refused.map(\.status) == [503])
                #expect(refused.first?.field("Retry-After") == "1")
            }
        }
        try await eventually { server.server.budget.bytesReserved == 0 }
    }

    @Test func `bodies of unknown length that hold memory and wait for more all arrive`() async throws {
        let server = try tightServer(bodyTimeout: .seconds(60))
        let chunk = "10000\r\n" + String(repeating: "1", count: 65_536) + "\r\n"
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await server.connected { connection in
                        try await connection.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n")
                        for _ in 0..<3 {
                            try await connection.send(chunk)
                            try await Task.sleep(for: .milliseconds(20))
                        }
                        try await connection.send("0\r\n\r\n")
                        return try await connection.response().status
                    }
                }
            }
            for try await status in group { #expect(status == 201) }
        }
        try await eventually { server.server.budget.bytesReserved == 0 }
    }

    @Test func `a disconnected client leaves no connection behind`() async throws {
        let server = try TestServer(ServerTests.routes)
        for part in [
            "", "GET /he", Self.get,
            Self.post + "Content-Length: 500000\r\n\r\n" + String(repeating: "1", count: 200_000),
        ] {
            try await server.connected { try await $0.send(part) }
        }
        try await eventually { server.server.connectionCount == 0 && server.server.budget.bytesReserved == 0 }
        #expect(try await server.exchange("GET /hello HTTP/1.0\r\n\r\n").map(\.status) == [200])
    }

    @Test func `a response is not lost when the body is not read`() async throws {
        let server = try TestServer(ServerTests.routes)
        // The kernel resets a connection that is closed with unread input, and the response is lost.
        for _ in 1...20 {
            let responses = try await server.exchange(
                Self.post + "Content-Length: 90000000\r\n\r\n" + String(repeating: "1", count: 300_000))
            #expect(responses.map(\.status) == [413])
        }
    }

    @Test func `an upgrade can wrap the socket in another stream`() async throws {
        let server = try TestServer(
            upgrade: { socket, deadline in
                var greeting: [UInt8] = []
                _ = try await socket.read(into: &greeting, atMost: 4, deadline: deadline)
                guard greeting == Array("open".utf8) else { throw StreamError.failed("no greeting") }
                return socket
            }, ServerTests.routes)
        #expect(try await server.exchange("open" + "GET /hello HTTP/1.0\r\n\r\n").map(\.status) == [200])
        #expect(try await server.exchange("shut").isEmpty)
    }
}
