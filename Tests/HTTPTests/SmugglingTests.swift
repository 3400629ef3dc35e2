import Testing

@testable import HTTP

/// Heads that servers are known to interpret differently, or that a lenient server would accept.
struct SmugglingTests {
    static let lengths: [(String, Int)] = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: 5,\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length: -0\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length: 5 5\r\n", 400),
        ("Content-Length: 5;\r\n", 400),
        ("Content-Length: 5.0\r\n", 400),
        ("Content-Length: 5e0\r\n", 400),
        ("Content-Length: \u{0665}\r\n", 400),
        ("Content-Length: \r\n", 400),
        ("Content-Length: \"5\"\r\n", 400),
        ("Content-Length : 5\r\n", 400),
        ("Content-Length\t: 5\r\n", 400),
        (" Content-Length: 5\r\n", 400),
        ("X: y\r\n Content-Length: 5\r\n", 400),
        ("X: y\r\n\tz\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Transfer-Encoding: chunked,\r\n", 400), ("Transfer-Encoding: , chunked\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Transfer-Encoding: \"chunked\"\r\n", 501),
        ("Transfer-Encoding: chunked;q=1\r\n", 501),
        ("Transfer-Encoding:\r\n", 501),
        ("Transfer-Encoding: \u{0B}chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Transfer_Encoding chunked\r\n", 400),
        ("Content-Type: application/json\r\nContent-Type: text/plain\r\n", 400),
        (": x\r\n", 400),
        ("X\r\n", 400),
        ("X(y): z\r\n", 400),
        ("X\u{e9}: z\r\n", 400),
        ("X: a\u{0}b\r\n", 400),
        ("X: a\u{7F}b\r\n", 400),
        ("X: a\u{1B}b\r\n", 400),
        ("X: a\nContent-Length: 5\r\n", 400),
        ("X: a\rContent-Length: 5\r\n", 400),
        ("X: a\r\r\n", 400),
        ("X: a\n\r\n", 400),
        ("Host: other\r\n", 400),
        ("host: h\r\n", 400),
    ]

    @Test(arguments: lengths)
    func `an ambiguous field is rejected`(fields: String, status: Int) {
        #expect(parseRequest("POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n").0 == .refused(status))
        #expect(parseRequest("POST / HTTP/1.1\r\n\(fields)Host: h\r\n\r\n").0 == .refused(status))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\n", 400), ("GET / HTTP/1.1\r", nil), ("GET / HTTP/1.1\r\r\n", 400), ("GET /\r\n", 400),
        ("GET  / HTTP/1.1\r\n", 400), ("GET /  HTTP/1.1\r\n", 400), ("GET / HTTP/1.1 \r\n", 400),
        (" GET / HTTP/1.1\r\n", 400), ("GET\t/ HTTP/1.1\r\n", 400), ("GET / HTTP/1.1\t\r\n", 400),
        ("GET / http/1.1\r\n", 400), ("GET / HTTP/11\r\n", 400), ("GET / HTTP/1.10\r\n", 400),
        ("GET / HTTP/1.x\r\n", 400), ("GET / XTTP/1.1\r\n", 400), ("GET / HTTP/2.0\r\n", 505),
        ("GET / HTTP/1.2\r\n", 505), ("GET / HTTP/0.9\r\n", 505), ("PRI * HTTP/2.0\r\n", 505),
        ("GET a HTTP/1.1\r\n", 400), ("GET h:80 HTTP/1.1\r\n", 400), ("CONNECT h:80 HTTP/1.1\r\n", 501),
        ("GET ftp://h/ HTTP/1.1\r\n", 400), ("GET http:///x HTTP/1.1\r\n", 400), ("GET http://u@h/ HTTP/1.1\r\n", 400),
        ("GET http://h:x/ HTTP/1.1\r\n", 400), ("GET http:/h HTTP/1.1\r\n", 400), ("GET /#f HTTP/1.1\r\n", 400),
        ("GET /a%2 HTTP/1.1\r\n", 400), ("GET /a%zz HTTP/1.1\r\n", 400), ("GET /?%f HTTP/1.1\r\n", 400),
        ("GET /\u{e9} HTTP/1.1\r\n", 400), ("GET /\u{0} HTTP/1.1\r\n", 400), ("GET /a\"b HTTP/1.1\r\n", 400),
        ("GET /a\\b HTTP/1.1\r\n", 400), ("GET /a|b HTTP/1.1\r\n", 400), ("G(T / HTTP/1.1\r\n", 400),
        ("G\u{e9}T / HTTP/1.1\r\n", 400), (": / HTTP/1.1\r\n", 400), ("\u{16}\u{3}\u{1}", 400),
        ("BREW / HTTP/1.1\r\n", 501),
    ])
    func `an ambiguous request line is rejected`(line: String, status: Int?) {
        let (verdict, _) = parseRequest(line + (status == nil ? "" : "Host: h\r\n\r\n"))
        #expect(verdict == status.map { .refused($0) } ?? .needMore)
    }

    @Test func `a request without Host, or with two, is rejected`() {
        #expect(parseRequest("GET / HTTP/1.1\r\n\r\n").0 == .refused(400))
        #expect(parseRequest("GET http://a/ HTTP/1.1\r\n\r\n").0 == .refused(400))
        #expect(parseRequest("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").0 == .refused(400))
    }

    @Test func `Transfer-Encoding is rejected in HTTP 1_0`() {
        #expect(parseRequest("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").0 == .refused(400))
    }

    @Test func `a Content-Length beyond the integer range becomes the largest integer`() {
        let (_, head) = parseRequest("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n")
        #expect(head?.contentLength == Int.max)
        let zeros = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 000000000000000000000000000005\r\n\r\n"
        #expect(parseRequest(zeros).1?.contentLength == 5)
    }
}
