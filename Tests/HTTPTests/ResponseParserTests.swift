import Testing

@testable import HTTP

struct ResponseParserTests {
    /// The status, 0 if more is needed, or the negated status of the violation. Parsing at once and byte by byte must
    /// agree.
    private static func parse(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> (Int, ResponseHead?)
    {
        let bytes = Array(text.utf8)
        func code(_ parsed: Parsed<ResponseHead>) -> (Int, ResponseHead?) {
            switch parsed {
            case .needMore: (0, nil)
            case .complete(let head, _): (head.status.code, head)
            case .invalid(let violation): (-violation.status.code, nil)
            }
        }
        var whole = ResponseParser()
        let expected = code(whole.parse(bytes, from: 0))
        var bytewise = ResponseParser()
        var last = 0
        for count in 1...bytes.count where last == 0 {
            last = code(bytewise.parse(Array(bytes[..<count]), from: 0)).0
        }
        #expect(last == expected.0, "one byte at a time", sourceLocation: sourceLocation)
        return expected
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", 200), ("HTTP/1.1 404 \r\n\r\n", 404), ("HTTP/1.0 503\r\n\r\n", 503),
        ("HTTP/1.1 299 Some \u{e9}\r\n\r\n", 299), ("HTTP/1.1 200 OK\r\nA: b\r\n", 0),
        ("HTTP/1.1 200 OK\n\n", -400), ("HTTP/1.1 20 OK\r\n\r\n", -400), ("HTTP/1.1 2000 OK\r\n\r\n", -400),
        ("HTTP/1.1 +20 OK\r\n\r\n", -400), ("HTTP/1.1 099 OK\r\n\r\n", -400), ("HTTP/1.1 600 OK\r\n\r\n", -400),
        ("HTTP/1.1  200 OK\r\n\r\n", -400), ("HTTP/2.0 200 OK\r\n\r\n", -505), ("ICY 200 OK\r\n\r\n", -400),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", -400), ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", -400),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", -400),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -400),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", -400),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -400), ("\r\nHTTP/1.1 200 OK\r\n\r\n", -400),
    ])
    func `a response is parsed as strictly as a request`(text: String, code: Int) {
        #expect(Self.parse(text).0 == code)
    }

    @Test(arguments: [
        ("200 OK\r\nContent-Length: 7", HTTP.Method.get, ResponseHead.BodyEnd.length(7)),
        ("200 OK\r\nContent-Length: 7", .head, .none), ("204 None\r\nContent-Length: 7", .get, .none),
        ("304 Same\r\nContent-Length: 7", .get, .none), ("100 Go", .post, .none),
        ("200 OK\r\nTransfer-Encoding: chunked", .get, .chunked), ("200 OK", .get, .close),
    ])
    func `the end of a body follows RFC 9112`(text: String, method: HTTP.Method, end: ResponseHead.BodyEnd) {
        #expect(Self.parse("HTTP/1.1 \(text)\r\n\r\n").1?.bodyEnd(answering: method) == end)
    }

    @Test(arguments: [
        ("http://example.org", false, "example.org", 80, "/"), ("HTTPS://h:8443/a?b=c", true, "h", 8443, "/a?b=c"),
        ("https://[::1]", true, "::1", 443, "/"), ("http://[::1]:81/x", false, "::1", 81, "/x"),
        ("http://h?q", false, "h", 80, "/?q"), ("http://h:/", false, "h", 80, "/"),
    ])
    func `a URI is parsed into its parts`(text: String, isSecure: Bool, host: String, port: UInt16, target: String)
        throws
    {
        let uri = try #require(AbsoluteURI(text))
        #expect(uri.isSecure == isSecure)
        #expect(uri.host == host)
        #expect(uri.port == port)
        #expect(uri.target == target)
    }

    @Test(arguments: [
        "", "h", "//h/", "/a", "ftp://h/", "http://", "http:///a", "http://u@h/", "http://u:p@h/", "http://h:0/",
        "http://h:65536/", "http://h:99999999999999999999/", "http://h:+1/", "http://h/#f", "http://h/a b",
        "http://h/%",
        "http://h/\r\nX: y", "http://[::1/", "http://h\u{e9}/", "*",
    ])
    func `a text that is not an http URI is rejected`(text: String) {
        #expect(AbsoluteURI(text) == nil)
    }
}
