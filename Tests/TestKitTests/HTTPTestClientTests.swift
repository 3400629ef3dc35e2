import EventLoop
import TestKit
import Testing
import Values

@Suite struct HTTPTestClientTests {
    /// Accepts one connection, sends `answer`, reads until the client closes it, and returns the bytes read.
    private func serve(
        _ answer: String, thenClose: Bool = false, _ body: (HTTPTestClient) async throws -> Void
    ) async throws -> String {
        let listener = try Listener(address: .loopback(port: 0))
        let port = try #require(listener.address.port)
        let server = Task(executorPreference: TestLoop.shared) {
            let socket = try await listener.accept(on: TestLoop.shared).attach(to: TestLoop.shared)
            defer { socket.close() }
            let deadline = MonotonicInstant.now() + .seconds(10)
            var request: [UInt8] = []
            _ = try await socket.read(into: &request, atMost: 65_536, deadline: deadline)
            try await socket.write(Array(answer.utf8), deadline: deadline)
            if thenClose { return String(decoding: request, as: UTF8.self) }
            while try await socket.read(into: &request, atMost: 65_536, deadline: deadline) > 0 {}
            return String(decoding: request, as: UTF8.self)
        }
        try await body(HTTPTestClient(port: port, key: "secret"))
        return try await server.value
    }

    @Test func `a request carries its length, its type and the key`() async throws {
        let request = try await serve("HTTP/1.1 201 Created\r\nLocation: /api/jobs/1\r\nContent-Length: 2\r\n\r\n{}") {
            let response = try await $0.post("/api/jobs", "{\"n\":1}")
            #expect(response.status == 201)
            #expect(response.reason == "Created")
            #expect(response["location"] == "/api/jobs/1")
            #expect(response.text == "{}")
        }
        #expect(request.hasPrefix("POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:"))
        #expect(request.contains("\r\nContent-Length: 7\r\n"))
        #expect(request.contains("\r\nContent-Type: application/json\r\n"))
        #expect(request.hasSuffix("\r\nAuthorization: Bearer secret\r\n\r\n{\"n\":1}"))
    }

    @Test func `a header of a request replaces the default one`() {
        let message = HTTPTestClient(port: 1, key: "secret").message(
            "GET", "/", headers: [("authorization", "Basic x")])
        #expect(message.contains("Basic x") && !message.contains("secret"))
    }

    @Test func `chunks are joined, and interim responses are skipped`() async throws {
        let answer =
            "HTTP/1.1 100 Continue\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
        _ = try await serve(answer) {
            let connection = try await $0.connect()
            try await connection.send("GET / HTTP/1.1\r\n\r\n")
            #expect(try await connection.response().text == "abc0123456789abcdef")
            await connection.close()
        }
    }

    @Test func `pipelined responses are read in order, and a response to HEAD has no body`() async throws {
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + "HTTP/1.1 204 No Content\r\n\r\n"
            + "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"
        _ = try await serve(answer) {
            let connection = try await $0.connect()
            try await connection.send("...")
            #expect(try await connection.response(to: "HEAD").body == [])
            #expect(try await connection.response().status == 204)
            #expect(try await connection.response().text == "x")
            await connection.close()
        }
    }

    @Test func `a body without a length ends with the connection`() async throws {
        _ = try await serve("HTTP/1.1 200 OK\r\n\r\nall of it", thenClose: true) {
            let response = try await $0.get("/")
            #expect(response.text == "all of it")
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nno colon\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "",
    ])
    func `a malformed or incomplete response is a failure`(answer: String) async throws {
        _ = try await serve(answer, thenClose: true) { client in
            await #expect(throws: HTTPTestFailure.self) { try await client.get("/") }
        }
    }

    @Test func `a missing response is a failure after the timeout`() async throws {
        _ = try await serve("HTTP/1.1 200 OK\r\n") { client in
            await #expect(throws: HTTPTestFailure.self) {
                try await client.request("GET", "/", within: .milliseconds(50))
            }
        }
    }
}
