import EventLoop
import Testing
import Values

@testable import HTTP

struct ResponseTests {
    private static func written(
        _ response: Response, version: Version = .http11, omitsBody: Bool = false, keepsAlive: Bool = true
    ) -> String {
        var out: [UInt8] = []
        let id = RequestID(nil, connection: Array("c-".utf8), serial: 7)
        let framing = ResponseWriter.Framing(id: id, version: version, omitsBody: omitsBody, keepsAlive: keepsAlive)
        let bodyRemains = ResponseWriter.append(response, framing, date: DateLine(), to: &out)
        return String(decoding: bodyRemains ? out + response.body : out, as: UTF8.self)
    }

    @Test func `a response is written with its framing fields`() throws {
        var response = Response.json(Array("{}".utf8), status: .created)
        try response.add(.location, "/jobs/1")
        try response.add(name: "X-Own", "a b")
        #expect(
            Self.written(response)
                == "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
                + "X-Request-Id: c-7\r\nLocation: /jobs/1\r\nX-Own: a b\r\n\r\n{}\n")
        #expect(Self.written(response, omitsBody: true).hasSuffix("\r\n\r\n"))
        #expect(Self.written(response, keepsAlive: false).contains("\r\nConnection: close\r\n"))
        #expect(Self.written(response, version: .http10).contains("\r\nConnection: keep-alive\r\n"))
    }

    @Test(arguments: [Status.noContent, .notModified])
    func `a status without content has neither a length nor a body`(status: Status) {
        let text = Self.written(Response(status, contentType: .json, body: [1, 2]))
        #expect(text == "HTTP/1.1 \(status)\r\nX-Request-Id: c-7\r\n\r\n")
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 12_345, 65_536, 65_537])
    func `Content-Length is the length of the body, also of a large one`(count: Int) {
        let text = Self.written(Response(.ok, body: [UInt8](repeating: 0x61, count: count)))
        #expect(text.contains("Content-Length: \(count)\r\n"))
        #expect(text.utf8.filter { $0 == 0x61 }.count == count)
    }

    @Test func `a field value cannot contain a line end`() {
        var response = Response(.ok)
        for value in ["a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\u{0}", "a\u{7F}", "a\u{e9}", "\u{2028}"] {
            #expect(throws: InvalidField.self) { try response.add(.location, value) }
            #expect(throws: InvalidField.self) { try response.add(name: "X-Own", value) }
            #expect(throws: InvalidField.self) { try Problem(.conflict).with(.retryAfter, value).response() }
        }
        for name in ["", "a b", "a:", "a\r\n", "\u{e9}"] {
            #expect(throws: InvalidField.self) { try response.add(name: name, "x") }
        }
        for name in ["content-length", "Transfer-Encoding", "CONNECTION", "Date", "X-Request-Id", "Content-Type"] {
            #expect(throws: InvalidField.self) { try response.add(name: name, "1") }
        }
        #expect(response.lines.isEmpty)
    }

    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func `a time is formatted as an HTTP date`(seconds: Int, text: String) {
        var bytes: [UInt8] = []
        bytes.append(httpDate: seconds)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test func `the date line is formatted once per second`() {
        var line = DateLine()
        let start = MonotonicInstant.now()
        line.update(start)
        #expect(line.bytes.count == "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".utf8.count)
        let first = line.bytes
        line.update(start)
        #expect(line.bytes == first)
    }
}
