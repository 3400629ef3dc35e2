import Testing

@testable import HTTP

struct RequestParserTests {
    @Test func `a request is parsed into its parts`() throws {
        let text =
            "POST /api/jobs/a%20b/cancel?x=1&y HTTP/1.1\r\nHost: example.org:8000\r\ncontent-TYPE:application/json\r\n"
            + "X-Own: \t one two \t\r\nContent-Length: 12\r\nEmpty:\r\n\r\n"
        let (verdict, parsed) = parseRequest(text + "{\"a\":true}..")
        #expect(verdict == .complete(consumed: text.utf8.count))
        let head = try #require(parsed)
        #expect(head.method == .post)
        #expect(head.version == .http11)
        #expect(head.path == "/api/jobs/a%20b/cancel")
        #expect(head.query == "x=1&y")
        #expect(head.authority == "example.org:8000")
        #expect(head.contentLength == 12)
        #expect(head.hasBody)
        #expect(head.keepsAlive)
        #expect(head.fields.text(.contentType) == "application/json")
        #expect(head.fields.text(named: "x-OWN") == "one two")
        #expect(head.fields.text(named: "Empty") == "")
        #expect(head.fields.text(.accept) == nil)
        #expect(head.fields.all.map(\.name) == ["Host", "content-TYPE", "X-Own", "Content-Length", "Empty"])
    }

    @Test func `every known field is recognised in any case`() throws {
        for field in KnownField.allCases {
            #expect(KnownField(name: field.name) == field)
            #expect(KnownField(name: field.name.lowercased()) == field)
            #expect(KnownField(name: field.name.uppercased()) == field)
            #expect(KnownField(name: field.name + "x") != field)
            #expect(KnownField(name: String(field.name.dropLast()) + "_") == nil)
        }
        #expect(KnownField(name: "") == nil)
    }

    @Test func `every method except CONNECT is accepted, case-sensitively`() throws {
        for method in Method.allCases {
            let (verdict, head) = parseRequest("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
            if method == .connect {
                #expect(verdict == .refused(501))
            } else {
                #expect(head?.method == method)
            }
            #expect(parseRequest("\(method)X / HTTP/1.1\r\nHost: h\r\n\r\n").0 == .refused(501))
            #expect(parseRequest("\(method.description.lowercased()) / HTTP/1.1\r\nHost: h\r\n\r\n").0 == .refused(501))
        }
    }

    @Test func `one parser parses pipelined requests in order`() throws {
        let first = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
        let second = "DELETE /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        let buffer = Array((first + second).utf8)
        var parser = RequestParser()
        guard case .complete(let one, let consumed) = parser.parse(buffer, from: 0) else {
            Issue.record("the first request was not read")
            return
        }
        guard case .complete(let two, let rest) = parser.parse(buffer, from: consumed) else {
            Issue.record("the second request was not read")
            return
        }
        #expect(one.path == "/1")
        #expect(one.keepsAlive)
        #expect(two.path == "/two")
        #expect(two.method == .delete)
        #expect(!two.keepsAlive)
        #expect(consumed + rest == buffer.count)
    }

    @Test func `one empty line before a request is ignored, but not two`() {
        #expect(parseRequest("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").1?.path == "/")
        #expect(parseRequest("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").0 == .refused(400))
    }

    @Test(arguments: [
        ("", "1.1", true), ("", "1.0", false),
        ("Connection: close\r\n", "1.1", false), ("Connection: keep-alive\r\n", "1.0", true),
        ("Connection: x , Close,y\r\n", "1.1", false), ("Connection: Keep-Alive, close\r\n", "1.0", false),
        ("Connection: closed\r\n", "1.1", true), ("Connection: ,,\r\nConnection: close\r\n", "1.1", false),
    ])
    func `version and Connection determine whether the connection persists`(
        fields: String, version: String, keepsAlive: Bool
    ) {
        let (_, head) = parseRequest("GET / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n")
        #expect(head?.keepsAlive == keepsAlive)
    }

    @Test(arguments: [
        ("/", "/", nil, "h"), ("/a?b=c?d", "/a", "b=c?d", "h"), ("/a?", "/a", "", "h"),
        ("/%41-._~!$&'()*+,;=:@/", "/%41-._~!$&'()*+,;=:@/", nil, "h"),
        ("http://other:81/x?y", "/x", "y", "other:81"), ("HTTPS://other", "/", nil, "other"),
        ("http://other?q", "/", "q", "other"), ("http://[::1]:80/", "/", nil, "[::1]:80"), ("//x", "//x", nil, "h"),
    ])
    func `a target is parsed in origin form and in absolute form`(
        target: String, path: String, query: String?, authority: String
    ) {
        let (_, head) = parseRequest("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head?.path == path)
        #expect(head?.query == query)
        // The authority of an absolute target takes precedence over Host (RFC 9112 section 3.2.2).
        #expect(head?.authority == authority)
    }

    @Test func `an asterisk is a valid target of OPTIONS only`() {
        #expect(parseRequest("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").1?.path == "*")
        #expect(parseRequest("GET * HTTP/1.1\r\nHost: h\r\n\r\n").0 == .refused(400))
    }

    @Test(arguments: [
        "example.org:80", "[::1]:80", "[v1.a:b]", "[::1", "[]", "[::1]x", "a b",
        "a/b", "a@b", "a:b", "a:80:80", "a,b", ":80", "", "a%2eb", "a%2", "a%zz", "1.2.3.4", "a:",
    ])
    func `a malformed Host is rejected`(host: String) {
        let refused: Set = ["[::1", "[]", "[::1]x", "a b", "a/b", "a@b", "a:b", "a:80:80", ":80", "a%2", "a%zz"]
        let (verdict, _) = parseRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect((verdict == .refused(400)) == refused.contains(host))
    }

    @Test func `HTTP 1_0 requires no Host`() {
        #expect(parseRequest("GET / HTTP/1.0\r\n\r\n").1?.authority == nil)
        #expect(parseRequest("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").0 == .refused(400))
    }

    @Test func `100-continue is the only supported expectation`() {
        func head(_ expect: String, _ version: String = "1.1") -> (Verdict, RequestHead?) {
            parseRequest("POST / HTTP/\(version)\r\nHost: h\r\n\(expect)Content-Length: 1\r\n\r\n")
        }
        #expect(head("Expect: 100-Continue\r\n").1?.expectsContinue == true)
        #expect(head("").1?.expectsContinue == false)
        #expect(head("Expect: 100-continue\r\n", "1.0").1?.expectsContinue == false)
        #expect(head("Expect: 200-ok\r\n").0 == .refused(417))
        #expect(head("Expect: 200-ok\r\nExpect: 100-continue\r\n").0 == .refused(417))
    }

    @Test func `limits apply to the byte`() {
        var limits = MessageLimits()
        limits.startLineBytesMax = 32
        limits.headBytesMax = 64
        limits.fieldCountMax = 3
        func request(target: Int, field: Int, extra: Int = 0) -> String {
            "GET /" + String(repeating: "a", count: target - 1) + " HTTP/1.1\r\nHost: h\r\n"
                + "X: " + String(repeating: "v", count: field) + "\r\n" + String(repeating: "a:\r\n", count: extra)
                + "\r\n"
        }
        let longest = 32 - "GET  HTTP/1.1".utf8.count
        #expect(parseRequest(request(target: longest, field: 1), limits: limits).1 != nil)
        #expect(parseRequest(request(target: longest + 1, field: 1), limits: limits).0 == .refused(414))
        let room = 64 - request(target: 1, field: 0).utf8.count
        #expect(parseRequest(request(target: 1, field: room), limits: limits).1 != nil)
        #expect(parseRequest(request(target: 1, field: room + 1), limits: limits).0 == .refused(431))
        #expect(parseRequest(request(target: 1, field: 0, extra: 1), limits: limits).1 != nil)
        #expect(parseRequest(request(target: 1, field: 0, extra: 2), limits: limits).0 == .refused(431))
    }

    @Test func `a line is rejected as soon as it is too long, even if incomplete`() {
        var limits = MessageLimits()
        limits.startLineBytesMax = 32
        limits.headBytesMax = 64
        #expect(parseRequest("GET /" + String(repeating: "a", count: 60), limits: limits).0 == .refused(414))
        let open = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 60)
        #expect(parseRequest(open, limits: limits).0 == .refused(431))
    }
}
