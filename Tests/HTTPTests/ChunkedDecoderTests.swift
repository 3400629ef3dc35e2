import Testing

@testable import HTTP

struct ChunkedDecoderTests {
    @Test(arguments: [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("00a\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("1;a=b;c=\"d;\\\"\r e\";f\r\nx\r\n0\r\n\r\n".replacing("\r e", with: " e"), "x"),
        ("1 ; a = b\r\nx\r\n0;last\r\n\r\n", "x"),
        ("1\r\nx\r\n0\r\nTrailer: y\r\nOther:\r\n\r\n", "x"),
    ])
    func `a chunked body is decoded`(text: String, content: String) {
        let (verdict, body) = decodeChunks(text + "GET /next")
        #expect(verdict == .complete(consumed: text.utf8.count))
        #expect(body == Array(content.utf8))
    }

    @Test(arguments: [
        ("\r\n", 400), ("x\r\n", 400), (";\r\n", 400), (" 5\r\nhello\r\n", 400), ("+5\r\nhello\r\n", 400),
        ("-5\r\nhello\r\n", 400), ("0x5\r\nhello\r\n", 400), ("5\nhello\r\n", 400), ("5\rhello\r\n", 400),
        ("5 \r\nhello\r\n", 400), ("5,5\r\nhello\r\n", 400), ("5\r\nhello!\r\n", 400), ("5\r\nhello\n", 400),
        ("5\r\nhello\rx", 400), ("5\r\nhello0\r\n\r\n", 400), ("5;a\nb\r\n", 400), ("5;a\rb\r\n", 400),
        ("5;\u{0}\r\n", 400), ("5;a=\"b\r\n", 400), ("5;a=(\r\n", 400), ("5 x\r\n", 400), ("0\r\nX : y\r\n\r\n", 400),
        ("0\r\nX: y\n\r\n", 400), ("0\r\n X: y\r\n\r\n", 400), ("0\r\nX\r\n\r\n", 400), ("0\r\n\n", 400),
        ("ffffffffffffffff\r\n", 413), ("8000000000000000\r\n", 413), ("7fffffffffffffff\r\n", 413),
        ("10000000000000000\r\n", 413), ("100001\r\n", 413),
        (String(repeating: "0", count: 300) + "5\r\nhello\r\n", 400),
    ])
    func `a malformed chunk is rejected`(text: String, status: Int) {
        #expect(decodeChunks(text).0 == .refused(status))
    }

    @Test func `the length limit applies to the sum of all chunks`() {
        #expect(decodeChunks("5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", bodyBytesMax: 8).1.count == 8)
        #expect(decodeChunks("5\r\nhello\r\n4\r\nabcd\r\n0\r\n\r\n", bodyBytesMax: 8).0 == .refused(413))
        #expect(decodeChunks("1\r\n", bodyBytesMax: 0).0 == .refused(413))
    }

    @Test func `extensions and trailers are bounded`() {
        var limits = MessageLimits()
        limits.chunkLineBytesMax = 20
        limits.chunkExtensionBytesMax = 30
        limits.trailerBytesMax = 20
        limits.trailerCountMax = 2
        let chunk = "1;" + String(repeating: "e", count: 18) + "\r\nx\r\n"
        #expect(decodeChunks(chunk + "0\r\n\r\n", limits: limits).1.count == 1)
        #expect(decodeChunks("1;" + String(repeating: "e", count: 19) + "\r\n", limits: limits).0 == .refused(400))
        #expect(decodeChunks(chunk + chunk + "0\r\n\r\n", limits: limits).0 == .refused(400))
        #expect(decodeChunks("0\r\na: 89012345678\r\n\r\n", limits: limits).0 != .refused(431))
        #expect(decodeChunks("0\r\na: 8901234567890123\r\n\r\n", limits: limits).0 == .refused(431))
        #expect(decodeChunks("0\r\na:\r\nb:\r\nc:\r\n\r\n", limits: limits).0 == .refused(431))
    }

    @Test func `an incomplete body needs more bytes`() {
        for text in [
            "", "5", "5\r", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\n\r",
            "0\r\nX: y\r\n",
        ] {
            #expect(decodeChunks(text).0 == .needMore)
        }
    }
}
