import JSON
import Testing

struct WriterTests {
    private func written(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    @Test func `commas are added automatically`() {
        let text = written { writer in
            writer.beginObject()
            writer.member("id", "x")
            writer.key("none")
            writer.beginArray()
            writer.endArray()
            writer.key("list")
            writer.beginArray()
            writer.integer(1)
            writer.beginObject()
            writer.endObject()
            writer.beginObject()
            writer.member("deep", true)
            writer.endObject()
            writer.null()
            writer.raw(Array(#"{"a":1.10}"#.utf8))
            writer.double(0.5)
            writer.endArray()
            writer.member("last", -1)
            writer.endObject()
        }
        #expect(text == #"{"id":"x","none":[],"list":[1,{},{"deep":true},null,{"a":1.10},0.5],"last":-1}"#)
    }

    @Test func `a scalar is a complete text`() {
        #expect(written { $0.null() } == "null")
        #expect(written { $0.bool(false) } == "false")
        #expect(written { $0.string("") } == "\"\"")
    }

    @Test func `a text is appended to the buffer`() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.beginArray()
        writer.integer(1)
        writer.endArray()
        #expect(String(decoding: writer.finish(), as: UTF8.self) == "data: [1]")
    }

    @Test func `a skipped value is written unchanged, from an array, a slice and a span`() throws {
        var reader = JSONReader(Array(#"{"a": {"n":1.10, "u":"\u0041"} }"#.utf8))
        try reader.beginObject()
        _ = try reader.nextMember()
        let range = try reader.skipValue()
        let text = written { writer in
            writer.beginArray()
            writer.raw(reader.bytes[range])
            writer.raw(Array(reader.bytes[range]))
            writer.raw(reader.bytes.span.extracting(range))
            writer.endArray()
        }
        let value = #"{"n":1.10, "u":"\u0041"}"#
        #expect(text == "[\(value),\(value),\(value)]")
    }

    @Test func `integers are written with all digits`() {
        #expect(written { $0.integer(0) } == "0")
        #expect(written { $0.integer(UInt8.max) } == "255")
        #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    }

    @Test func `doubles are equal after writing and reading, and infinity and NaN become null`() throws {
        let doubles = [
            0.1, -0.0, 1, 1e21, 1e-7, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi, 123_456_789_012_345_680,
            -2.5e-10, 1.0 / 3,
        ]
        for value in doubles {
            let text = written { $0.double(value) }
            var reader = JSONReader(Array(text.utf8))
            #expect(try reader.readDouble().bitPattern == value.bitPattern)
            try reader.finish()
        }
        for value in [Double.nan, .infinity, -.infinity] {
            #expect(written { $0.double(value) } == "null")
        }
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("\"\\/", #""\"\\/""#), ("\u{8}\u{9}\n\u{C}\r", #""\b\t\n\f\r""#),
        ("\u{0}\u{1B}\u{1F}", #""\u0000\u001b\u001f""#), ("a\u{7F}b", #""a\u007fb""#),
        ("\u{80}\u{9B}\u{9F}\u{A0}", "\"\\u0080\\u009b\\u009f\u{A0}\""),
        ("\u{2027}\u{2028}\u{2029}\u{202A}", "\"\u{2027}\\u2028\\u2029\u{202A}\""),
        ("é€😀", "\"é€😀\""), ("a long plain beginning\nand so on", #""a long plain beginning\nand so on""#),
        ("Съешь же ещё", "\"Съешь же ещё\""),
    ])
    func `a string is escaped where RFC 8259 or a log line requires it`(_ value: String, _ text: String) {
        #expect(written { $0.string(value) } == text)
        #expect(written { $0.string(utf8: Array(value.utf8)) } == text)
        #expect(
            written {
                $0.beginObject()
                $0.member(value, 1)
                $0.endObject()
            } == "{\(text):1}")
    }

    @Test func `bytes that are not UTF-8 are written as U+FFFD`() throws {
        for bytes in GrammarTests.notUTF8 {
            var writer = JSONWriter()
            writer.string(utf8: Array("ab".utf8) + bytes + Array("c\n".utf8))
            let output = writer.finish()
            try skip(output)
            #expect(String(decoding: output, as: UTF8.self).contains("\u{FFFD}"))
        }
    }

    @Test func `every scalar is equal after writing and reading`() throws {
        var scalars = String.UnicodeScalarView()
        for value in (UInt32(0)..<0x3000) {
            if let scalar = Unicode.Scalar(value) {
                scalars.append(scalar)
            }
        }
        for value: UInt32 in [0xD7FF, 0xE000, 0xFEFF, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF] {
            scalars.append(try #require(Unicode.Scalar(value)))
        }
        let value = String(scalars)
        var writer = JSONWriter()
        writer.string(value)
        let output = writer.finish()
        for byte in output {
            #expect(byte >= 0x20 && byte != 0x7F)
        }
        var reader = JSONReader(output)
        #expect(try reader.readString().unicodeScalars.elementsEqual(scalars))
        try reader.finish()
    }

    @Test func `calls that would produce invalid JSON trap`() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.beginObject()
            writer.integer(1)
        }
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.beginArray()
            writer.endObject()
        }
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.beginArray()
            _ = writer.finish()
        }
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.null()
            writer.null()
        }
    }
}
