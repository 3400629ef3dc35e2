import EventLoop
import Telemetry
import Testing

@testable import HTTP

struct ServerTests {
    static func routes(_ router: inout Router) {
        router.on(.get, "/hello", access: .open) { _, _ in .text("hello") }
        router.on(.get, "/items/{name}", access: .open) { request, _ in .text(try request.parameter("name")) }
        router.on(.post, "/echo", access: .open) { request, _ in .json(request.body, status: .created) }
        router.on(.post, "/small", access: .open, body: .json(bytesMax: 8)) { request, _ in .json(request.body) }
        router.on(.get, "/fail", access: .open) { _, _ in throw StreamError.failed("secret detail") }
        router.on(.get, "/conflict", access: .open) { _, _ in
            throw Problem(.conflict, "taken", errors: [.init(.pointer("/a"), "is taken")]).with("holder", .string("x"))
        }
    }

    @Test func `a connection serves several requests in sequence`() async throws {
        let server = try TestServer(Self.routes)
        try await server.connected { connection in
            for number in 1...3 {
                try await connection.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                let response = try await connection.response()
                #expect(response.status == 200)
                #expect(response.text == "hello")
                #expect(response.field("Content-Length") == "5")
                #expect(response.field("Content-Type") == "text/plain; charset=utf-8")
                #expect(response.field("Connection") == nil)
                #expect(response.field("Date")?.hasSuffix(" GMT") == true)
                #expect(response.field("X-Request-Id")?.hasSuffix("-\(number)") == true)
            }
            try await connection.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let last = try await connection.responsesToEnd()
            #expect(last.count == 1)
            #expect(last.first?.field("Connection") == "close")
        }
    }

    @Test func `an HTTP 1_0 connection persists only on request`() async throws {
        let server = try TestServer(Self.routes)
        #expect(try await server.exchange("GET /hello HTTP/1.0\r\n\r\n").first?.field("Connection") == "close")
        try await server.connected { connection in
            for _ in 1...2 {
                try await connection.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try await connection.response().field("Connection") == "keep-alive")
            }
        }
    }

    @Test func `a hundred pipelined requests are answered in order`() async throws {
        let server = try TestServer(Self.routes)
        let requests = (1...100).map { number in
            let body = "{\"n\":\(number)}"
            return number % 2 == 0
                ? "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                : "GET /items/\(number) HTTP/1.1\r\nHost: h\r\n\r\n"
        }
        let texts = try await server.connected { connection in
            try await connection.send(requests.joined())
            var texts: [String] = []
            for _ in 1...100 { texts.append(try await connection.response().text) }
            return texts
        }
        #expect(texts == (1...100).map { $0 % 2 == 0 ? "{\"n\":\($0)}\n" : "\($0)" })
    }

    @Test func `requests that arrive byte by byte are answered`() async throws {
        let server = try TestServer(Self.routes)
        let body = "5;x=y\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nT: r\r\n\r\n"
        let text =
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json; charset=UTF-8\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n" + body + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
        try await server.connected { connection in
            for byte in text.utf8 { try await connection.socket.write([byte], deadline: .soon) }
            #expect(try await connection.response().text == "{\"a\":1}\n")
            #expect(try await connection.response().text == "hello")
        }
    }

    @Test func `a large body arrives complete`() async throws {
        let server = try TestServer(Self.routes)
        let body = "\"" + String(repeating: "0123456789abcdef", count: 60_000) + "\""
        try await server.connected { connection in
            try await connection.send(
                "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            let response = try await connection.response()
            #expect(response.status == 201)
            #expect(response.body == Array("\(body)\n".utf8))
        }
        #expect(server.server.budget.bytesReserved == 0)
    }

    @Test func `HEAD returns the head of GET without a body`() async throws {
        let server = try TestServer(Self.routes)
        try await server.connected { connection in
            try await connection.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            let head = try await connection.response(to: .head)
            #expect(head.status == 200)
            #expect(head.field("Content-Length") == "5")
            #expect(try await connection.response().text == "hello")
        }
    }

    @Test func `OPTIONS returns the methods of a path`() async throws {
        let server = try TestServer(Self.routes)
        try await server.connected { connection in
            try await connection.send("OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            let one = try await connection.response()
            #expect(one.status == 204)
            #expect(one.field("Allow") == "POST, OPTIONS")
            #expect(one.field("Content-Length") == nil)
            try await connection.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await connection.response().field("Allow") == "GET, HEAD, POST, OPTIONS")
        }
    }

    static let refusals: [(String, Int)] = [
        ("GET /nothing HTTP/1.1\r\nHost: h\r\n", 404),
        ("PUT /hello HTTP/1.1\r\nHost: h\r\n", 405),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n", 201),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nContent-Type: application/json\r\n", 413),
        ("GET /\(String(repeating: "a", count: 9_000)) HTTP/1.1\r\nHost: h\r\n", 414),
        ("GET /hello HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 40_000))\r\n", 431),
        ("GET /hello HTTP/1.1\r\nHost: h\r\n\(String(repeating: "a: b\r\n", count: 200))", 431),
        ("BREW /hello HTTP/1.1\r\nHost: h\r\n", 501),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n", 501),
        ("GET /hello HTTP/3.0\r\nHost: h\r\n", 505),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 2\r\n", 417),
        ("GET /hello HTTP/1.1\r\n", 400),
        ("GET /items/%ff HTTP/1.1\r\nHost: h\r\n", 400),
    ]

    @Test(arguments: refusals)
    func `an error response is a problem document with its status`(head: String, status: Int) async throws {
        let server = try TestServer(Self.routes)
        let (response, isJSON) = try await server.connected { connection in
            try await connection.send(head + "\r\n")
            let response = try await connection.response()
            return (response, response.field("Content-Type") == "application/problem+json")
        }
        #expect(response.status == status)
        #expect(response.field("X-Request-Id") != nil)
        if status >= 400 {
            #expect(isJSON)
            #expect(response.text.contains("\"status\":\(status)"))
        }
        #expect(status != 405 || response.field("Allow") == "GET, HEAD, OPTIONS")
    }

    @Test(arguments: [
        ("Content-Type: text/plain\r\n", 415), ("", 415), ("Content-Type: application/jsonx\r\n", 415),
        ("Content-Type: application/json; charset=latin1\r\n", 415),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", 415),
        ("Content-Type: application/json; charset=utf-8; x=y\r\n", 415),
        ("Content-Type: Application/JSON;charset=\"UTF-8\"\r\n", 200), ("Content-Type: application/json\r\n", 200),
    ])
    func `a body that is not JSON is rejected and the connection stays open`(fields: String, status: Int) async throws {
        let server = try TestServer(Self.routes)
        try await server.connected { connection in
            try await connection.send("POST /small HTTP/1.1\r\nHost: h\r\n\(fields)Content-Length: 2\r\n\r\n{}")
            #expect(try await connection.response().status == status)
            try await connection.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await connection.response().text == "hello")
        }
    }

    @Test func `a body longer than its route allows is rejected, with and without Content-Length`() async throws {
        let server = try TestServer(Self.routes)
        let start = "POST /small HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        try await server.connected { connection in
            try await connection.send(start + "Content-Length: 9\r\n\r\n123456789")
            let response = try await connection.response()
            #expect(response.status == 413)
            #expect(response.field("Connection") == nil)
            #expect(response.text.contains("\"bytes_max\":8"))
            try await connection.send(start + "Content-Length: 8\r\n\r\n12345678")
            #expect(try await connection.response().status == 200)
        }
        let chunked = try await server.exchange(start + "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n")
        #expect(chunked.map(\.status) == [413])
        #expect(chunked.first?.field("Connection") == "close")
        #expect(
            try await server.exchange(
                "GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
            )
            .map(\.status) == [400])
    }

    @Test func `input after a malformed request is never answered`() async throws {
        let server = try TestServer(Self.routes)
        let good = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
        for bad in [
            "GET /hello HTTP/1.1\r\nHost : h\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n",
        ] {
            let responses = try await server.exchange(good + bad + good + good)
            #expect(responses.map(\.status) == [200, 400])
            #expect(responses.last?.field("Connection") == "close")
        }
    }

    @Test func `a valid request id of the client is echoed`() async throws {
        let server = try TestServer(Self.routes)
        for (given, isEchoed) in [
            ("abc-1.2_Z", true), (String(repeating: "a", count: 128), true),
            (String(repeating: "a", count: 129), false),
            ("a b", false), ("a\"b", false), ("a\u{e9}", false), ("", false), ("a\r\nX-Request-Id: b", false),
        ] {
            let id = try await server.exchange(
                "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: \(given)\r\n\r\n"
            ).first?.field("X-Request-Id")
            #expect((id == given) == isEchoed)
            #expect(id?.isEmpty == false)
        }
    }

    @Test func `the cause of an error is logged and not sent to the client`() async throws {
        let server = try TestServer(Self.routes)
        let response = try #require(
            try await server.exchange(
                "GET /fail HTTP/1.1\r\nHost: h\r\nX-Request-Id: me\r\nConnection: close\r\n\r\n"
            ).first)
        #expect(response.status == 500)
        #expect(!response.text.contains("secret"))
        let line = try #require(server.log.records.first { $0.level == .error })
        #expect(line.fields.list.contains(LogField("request_id", "me")))
        #expect(line.fields.list.contains(LogField("error", "secret detail")))
    }

    @Test func `a problem document lists all errors`() async throws {
        let server = try TestServer(Self.routes)
        let response = try await server.exchange("GET /conflict HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").first
        #expect(
            response?.text
                == "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"taken\","
                + "\"errors\":[{\"pointer\":\"/a\",\"detail\":\"is taken\"}],\"holder\":\"x\"}\n")
    }

    @Test func `the scope is checked before the body is read`() async throws {
        let server = try TestServer(
            authorizer: { head, scope in
                guard head.fields.only(.authorization).map({ Array($0) }) == Array("Bearer k".utf8) else {
                    throw Problem(.unauthorized, "no key").with(.wwwAuthenticate, "Bearer")
                }
                guard scope == "write" else { throw Problem(.forbidden, "not for this key") }
                return Caller(name: "root", scopes: [scope])
            },
            {
                $0.on(.post, "/write", access: .scope("write")) { _, context in .text(context.caller?.name ?? "none")
                }
                $0.on(.post, "/admin", access: .scope("admin")) { _, _ in .text("never") }
            })
        func post(_ path: String, _ fields: String) async throws -> RawResponse? {
            try await server.exchange(
                "POST \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)Expect: 100-continue\r\n"
                    + "Content-Length: 2\r\n\r\n"
            ).first
        }
        let without = try await post("/write", "")
        #expect(without?.status == 401)
        #expect(without?.field("WWW-Authenticate") == "Bearer")
        #expect(try await post("/write", "Authorization: Bearer k\r\nAuthorization: Bearer k\r\n")?.status == 401)
        #expect(try await post("/admin", "Authorization: Bearer k\r\n")?.status == 403)
        let with = try await server.exchange(
            "POST /write HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer k\r\nContent-Length: 0\r\n\r\n"
        )
        #expect(with.first?.text == "root")
    }

    @Test func `responses are counted by route, method and status`() async throws {
        let server = try TestServer(Self.routes)
        for _ in 1...2 {
            _ = try await server.exchange("GET /items/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        }
        _ = try await server.exchange("GET /no HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        _ = try await server.exchange("nonsense\r\n")
        let page = String(decoding: server.registry.page(), as: UTF8.self)
        #expect(page.contains("http_requests_total{route=\"/items/{name}\",method=\"GET\",status=\"200\"} 2\n"))
        #expect(page.contains("http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1\n"))
        #expect(page.contains("http_requests_total{route=\"none\",method=\"invalid\",status=\"400\"} 1\n"))
        #expect(page.contains("http_request_duration_seconds_count{route=\"/items/{name}\"} 2\n"))
    }
}
