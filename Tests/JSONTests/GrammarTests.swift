import JSON
import Testing

/// Every text is checked twice: skipped, like a payload, and parsed into a tree.
struct GrammarTests {
    static let legal: [String] = [
        "null", "true", "false", "0", "-0", "7", "-1", "123", "1.5", "-0.1", "0e1", "0E+1", "1e-2", "1.25E10", "20e1",
        "\"\"", "\"a\"", "[]", "{}", "[[]]", "[{}]", "{\"\":0}", "[1,2]", "[null, 1, \"1\", {}]", " [1] ", "[]\n",
        "\t\r\n {\t\"a\"\r:\n1 }", "[ ]", "{ }", "{\"a\":1,\"a\":1}", "{\"a\":{\"b\":[{}]},\"c\":[]}",
        #""\" \\ \/ \b \f \n \r \t""#, #""\u0000\u001f\u0041\uFFff""#, #""\ud83d\ude00""#, "\"\u{7F}\"",
        "\"é ह € 한 😀 \u{10FFFF} \u{2028}\u{2029}\"", #"{"\u0061":1}"#, #"["\\u0041", "\\\""]"#, "\"'//*\"",
        "123456789012345678901234567890", "1e400", "-1E-999999999999999999999", "0.000000000000000000000000000001",
        // Allowed by the grammar, although not Unicode text: implementations differ.
        #"["\ud800"]"#, #"["\uDC00"]"#, #"["\uD800\uD800"]"#, #"["\uDd1e\uD834"]"#, #"["\ud83dx"]"#,
    ]

    static let illegal: [String] = [
        "", " ", "nul", "nulll", "nullx", "True", "truex", "fals", "NaN", "Infinity", "-Infinity", "undefined",
        "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1", "[", "]", "[]]", "[1]x", "[1}", "[1:2]", "[\"a\"", "[\"a\",",
        "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\",1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}",
        "{\"a\":1", "{", "}", "{}}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{\"a\"::1}", "{\"a\":1]", "{[]:1}",
        "01", "-01", "00", "1.", "[1.]", "[01]", "-", "[-]", "+1", ".5", "-.5", "1.e1", "1e", "1e+", "1E-", "1ee1",
        "1.2.3", "0x1", "1_000", "1 000", "--1", "1-", "0.1.", "- 1", "1e1.5", "１", "1a", "[1a]",
        "\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\a\"", "\"\\'\"", "\"\\u\"", "\"\\u1\"", "\"\\u12\"",
        "\"\\u123\"", "\"\\u12G4\"", "\"\\u-123\"", "\"\\U0041\"", "\"\\ud83d\\u\"", "\"\\\n\"", "'a'", "\"a\"b",
        "\"\u{0}\"", "\"\n\"", "\"\t\"", "\"\u{1F}\"", "\"\u{1}a\"",
        "\u{FEFF}[]", "[]\u{FEFF}", "[\u{A0}]", "\u{B}[]", "\u{C}[]", "[]\u{0}", "\u{2028}[]", "é",
        "// a\n1", "/* a */1", "1 // a", "[1]/**/", "#1", "1 2", "[] []", "{} null", "\"a\" \"b\"",
    ]

    static let notUTF8: [[UInt8]] = [
        [0x80], [0xBF], [0xFF], [0xFE], [0xC3], [0xC3, 0x28], [0xC0, 0xAF], [0xC0, 0x80], [0xC1, 0xBF],
        [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
        [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
        [0xF0, 0x9F, 0x98], [0xF0, 0x28, 0x8C, 0xBC], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
        [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0x61, 0x80], [0xC3, 0xA9, 0xA9],
    ]

    @Test(arguments: legal)
    func `a legal text is accepted`(_ text: String) throws {
        let bytes = Array(text.utf8)
        try skip(bytes)
        guard !isUnpaired(text) else { return }
        let tree = try JSONValue(parsing: bytes)
        #expect(try JSONValue(parsing: tree.bytes) == tree)
    }

    @Test(arguments: illegal)
    func `an illegal text is rejected`(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(throws: JSONError.self) { try skip(bytes) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }

    @Test(arguments: notUTF8)
    func `bytes that are not UTF-8 are rejected in values and names, at any distance from the quotation mark`(
        _ bytes: [UInt8]
    ) throws {
        for padding in 0..<18 {
            let quoted = Array("\"".utf8) + Array(repeating: 0x61, count: padding) + bytes + Array("\"".utf8)
            let error = #expect(throws: JSONError.self) { try skip(quoted) }
            guard case .syntax(let error) = error else {
                Issue.record("not a syntax error")
                continue
            }
            #expect(error.message.hasPrefix("expected UTF-8 in a string, found the byte 0x"))
            #expect(throws: JSONError.self) { try skip(Array("{".utf8) + quoted + Array(":1}".utf8)) }
            #expect(throws: JSONError.self) { try skip(Array("{\"k\":".utf8) + quoted + Array("}".utf8)) }
        }
        #expect(throws: JSONError.self) { try skip(bytes) }
    }

    @Test func `every scalar at the boundary of a UTF-8 length is accepted`() throws {
        for value: UInt32 in [0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF] {
            let scalar = try #require(Unicode.Scalar(value))
            let tree = try JSONValue(parsing: "\"\(scalar)\"")
            #expect(tree == .string(String(scalar)))
        }
    }

    @Test func `a control character is rejected at any distance from the quotation mark`() {
        for padding in 0..<18 {
            for control: UInt8 in 0..<0x20 {
                let text =
                    Array("\"".utf8) + Array(repeating: 0x61, count: padding) + [control] + Array("aaaaaaaa\"".utf8)
                #expect(throws: JSONError.self) { try skip(text) }
            }
        }
    }

    @Test func `a text truncated at any byte is rejected as an unexpected end of input`() {
        let text = Array(#" {"a" : [true, false,null, -1.5e+10, "x\u00e9\n€"], "b":{"c":[{}, []]}} "#.utf8)
        let close = text.lastIndex(of: UInt8(ascii: "}")) ?? 0
        for length in 0...close {
            let error = #expect(throws: JSONError.self) { try skip(Array(text[..<length])) }
            guard case .syntax(let error) = error else {
                Issue.record("not a syntax error")
                continue
            }
            let message = error.message
            #expect(message.contains("end of") || message.contains("hexadecimal") || message.contains("UTF-8"))
        }
        #expect(throws: Never.self) { try skip(text) }
    }

    @Test func `512 levels are accepted and 513 are rejected`() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let levels = JSONReader.depthMax / (open.hasPrefix("[{") ? 2 : 1)
            let deepest = String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels)
            try skip(Array(deepest.utf8))
            #expect(try JSONValue(parsing: deepest).text == deepest)
            let error = #expect(throws: JSONError.self) { try skip(Array("[\(deepest)]".utf8)) }
            #expect(error?.description.contains("objects and arrays are nested deeper than 512 levels") == true)
        }
    }

    @Test func `a nesting of 100,000 levels is rejected without a crash`() {
        for open in ["[", "{\"a\":", "[[{\"a\":"] {
            let bytes = Array(String(repeating: open, count: 100_000).utf8)
            #expect(throws: JSONError.self) { try skip(bytes) }
            #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        }
    }

    private func isUnpaired(_ text: String) -> Bool {
        let lowered = text.lowercased()
        return lowered.contains("\\ud") && text != #""\ud83d\ude00""#
    }
}

func skip(_ bytes: [UInt8]) throws(JSONError) {
    var reader = JSONReader(bytes)
    try reader.skipValue()
    try reader.finish()
}
