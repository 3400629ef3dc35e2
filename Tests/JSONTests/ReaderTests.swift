import JSON
import Testing

struct ReaderTests {
    @Test func `an object is read member by member, in any order and with any white space`() throws {
        let text = """
            { "queue" : "mail", "priority":-5 ,
              "payload": {"to":[1, 2.50]}, "tags":["a","b"], "urgent":true, "after":null, "rate": 0.25 }
            """
        var reader = JSONReader(Array(text.utf8))
        var tags: [String] = []
        try reader.beginObject()
        while let key = try reader.nextMember() {
            switch key {
            case "queue": #expect(try reader.readString() == "mail")
            case "priority": #expect(try reader.readInteger(as: Int16.self) == -5)
            case "payload":
                let range = try reader.skipValue()
                #expect(String(decoding: reader.bytes[range], as: UTF8.self) == #"{"to":[1, 2.50]}"#)
            case "tags":
                try reader.beginArray()
                while try reader.nextElement() {
                    tags.append(try reader.readString())
                }
            case "urgent": #expect(try reader.readBool())
            case "after": #expect(try reader.readNull())
            case "rate": #expect(try reader.readDouble() == 0.25)
            default: Issue.record("unexpected member \(key)")
            }
        }
        try reader.finish()
        #expect(tags == ["a", "b"])
    }

    @Test func `a payload is preserved byte for byte`() throws {
        let payload =
            #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2},"#
            + #""d":1,"d":2,"s":"\ud800"}"#
        var reader = JSONReader(Array(#"{"a": 1, "payload" : \#(payload)  , "z": 2}"#.utf8))
        var kept = ""
        try reader.beginObject()
        while let key = try reader.nextMember() {
            let range = try reader.skipValue()
            if key == "payload" {
                kept = String(decoding: reader.bytes[range], as: UTF8.self)
            }
        }
        try reader.finish()
        #expect(kept.utf8.elementsEqual(payload.utf8))
    }

    @Test func `unread members and elements are skipped and checked`() throws {
        var reader = JSONReader(Array(#"{"a":{"b":[1]},"c":[2,"x"]}"#.utf8))
        try reader.beginObject()
        #expect(try reader.nextMember()?.text == "a")
        #expect(try reader.nextMember()?.text == "c")
        try reader.beginArray()
        #expect(try reader.nextElement())
        #expect(try reader.nextElement())
        #expect(try !reader.nextElement())
        #expect(try reader.nextMember() == nil)
        try reader.finish()

        var broken = JSONReader(Array(#"{"a":{"b":[1,]},"c":2}"#.utf8))
        try broken.beginObject()
        _ = try broken.nextMember()
        #expect(throws: JSONError.self) { _ = try broken.nextMember() }
    }

    @Test func `a value of another type is a type error, and the next member can still be read`() throws {
        var reader = JSONReader(Array(#"{"type": 7, "queue":"q","tags":["a", 1, "b"], "n":"x"}"#.utf8))
        var errors: [String] = []
        func attempt(_ pointer: JSONPointer, _ body: () throws(JSONError) -> Void) throws {
            do {
                try body()
            } catch JSONError.type(let error) {
                errors.append("\(pointer): \(error)")
            }
        }
        var tags: [String] = []
        try reader.beginObject()
        while let key = try reader.nextMember() {
            let member = JSONPointer.root.appending(key.text)
            switch key {
            case "type": try attempt(member) { () throws(JSONError) in _ = try reader.readString() }
            case "queue": #expect(try reader.readString() == "q")
            case "tags":
                try reader.beginArray()
                var index = 0
                while try reader.nextElement() {
                    try attempt(member.appending(index)) { () throws(JSONError) in tags.append(try reader.readString())
                    }
                    index += 1
                }
            default: try attempt(member) { () throws(JSONError) in _ = try reader.readInteger(as: UInt8.self) }
            }
        }
        try reader.finish()
        #expect(
            errors == [
                "/type: expected a string, found a number", "/tags/1: expected a string, found a number",
                "/n: expected a number, found a string",
            ])
        #expect(tags == ["a", "b"])
    }

    @Test func `every type error names the expected and the found type`() throws {
        let found = [
            ("null", "null"), ("true", "a boolean"), ("1", "a number"), ("\"s\"", "a string"), ("[]", "an array"),
            ("{}", "an object"),
        ]
        let readings: [(String, (inout JSONReader) throws -> Void)] = [
            ("a boolean", { _ = try $0.readBool() }), ("a number", { _ = try $0.readInteger(as: Int.self) }),
            ("a number", { _ = try $0.readDouble() }), ("a number", { _ = try $0.readNumberText() }),
            ("a string", { _ = try $0.readString() }), ("a string", { _ = try $0.readStringBytes() }),
            ("an array", { try $0.beginArray() }), ("an object", { try $0.beginObject() }),
        ]
        for (expected, read) in readings {
            for (text, phrase) in found where phrase != expected {
                var reader = JSONReader(Array("  \(text)".utf8))
                let error = #expect(throws: JSONError.self) { try read(&reader) }
                #expect(error == .type(JSONTypeError(expected: expected, found: phrase, offset: 2)))
                try reader.finish()
            }
        }
    }

    @Test func `open containers can be left before their end`() throws {
        var reader = JSONReader(Array(#"{"a":[1,{"b":[2,3],"c":4},5],"d":6}"#.utf8))
        try reader.beginObject()
        _ = try reader.nextMember()
        try reader.beginArray()
        _ = try reader.nextElement()
        _ = try reader.nextElement()
        try reader.beginObject()
        _ = try reader.nextMember()
        try reader.beginArray()
        _ = try reader.nextElement()
        #expect(reader.depth == 4)
        try reader.skip(toDepth: 1)
        #expect(try reader.nextMember()?.text == "d")
        #expect(try reader.readInteger(as: Int.self) == 6)
        try reader.skip(toDepth: 0)
        try reader.finish()
    }

    @Test func `a range of the bytes is read like a whole text`() throws {
        let bytes = Array("xx[1,2]yy".utf8)
        var reader = JSONReader(bytes, range: 2..<7)
        #expect(try reader.skipValue() == 2..<7)
        try reader.finish()
        for range in [2..<6, 3..<7, 2..<8, 1..<7, 0..<0] {
            var reader = JSONReader(bytes, range: range)
            #expect(throws: JSONError.self) { try reader.finish() }
        }
        for text in ["true", "123", "\"ab\"", "\"\\n\"", "\"\\u0041\"", "\"é\"", "null", "1.5e3"] {
            let whole = Array(text.utf8)
            var reader = JSONReader(whole + Array("e5\"".utf8), range: 0..<whole.count)
            try reader.finish()
            var short = JSONReader(whole, range: 0..<1)
            guard !text.hasPrefix("1") else { continue }
            #expect(throws: JSONError.self) { try short.finish() }
        }
    }

    @Test(arguments: [
        ("{\n  \"a\": 1,\n  \"b\" 2}", "expected ':' after a member name, found '2' at line 3, column 7"),
        ("{\"a\":1 x", "expected ',' or '}' after a member, found 'x' at line 1, column 8"),
        ("[1,\r\n2;", "expected ',' or ']' after an element, found ';' at line 2, column 2"),
        ("[1,]", "expected a value after ',', found ']' at line 1, column 4"),
        ("{\"é\u{1F600}\":1,}", "expected a member name after ',', found '}' at line 1, column 9"),
        ("{1", "expected a member name or '}', found '1' at line 1, column 2"),
        ("[1", "unexpected end of input: expected ',' or ']' after an element at line 1, column 3"),
        ("", "unexpected end of input: expected a value at line 1, column 1"),
        ("[\u{A0}]", "expected a value, found the byte 0xC2 at line 1, column 2"),
        ("\u{FEFF}1", "expected a value and no byte order mark, found the byte 0xEF at line 1, column 1"),
        ("1 2", "expected the end of the input after the value, found '2' at line 1, column 3"),
        ("\"a", "unexpected end of input in a string at line 1, column 3"),
        ("\"a\n\"", "expected control characters in a string to be escaped, found the byte 0x0A at line 1, column 3"),
        (#""\x""#, #"expected one of "\/bfnrtu after a backslash, found 'x' at line 1, column 2"#),
        (#""\u12""#, #"expected four hexadecimal digits after \u at line 1, column 2"#),
        ("[-]", "expected a digit after '-', found ']' at line 1, column 3"),
        ("[1.]", "expected a digit after '.', found ']' at line 1, column 4"),
        ("[1e]", "expected a digit in the exponent, found ']' at line 1, column 4"),
        ("[01]", "expected a number without leading zeros at line 1, column 2"),
        ("nll", "expected 'null', found 'l' at line 1, column 2"),
        ("tru", "unexpected end of input: expected 'true' at line 1, column 4"),
        ("[nulL]", "expected 'null', found 'L' at line 1, column 5"),
    ])
    func `a syntax error names what was expected and the position`(_ text: String, _ message: String) {
        let error = #expect(throws: JSONError.self) { try skip(Array(text.utf8)) }
        #expect(error?.description == message)
    }

    @Test func `a position counts lines and scalars from the start of the range`() {
        let reader = JSONReader(Array("\n\n[é,\n€x]".utf8), range: 2..<11)
        #expect(reader.position(of: 2) == JSONPosition(offset: 2, line: 1, column: 1))
        #expect(reader.position(of: 5) == JSONPosition(offset: 5, line: 1, column: 3))
        #expect(reader.position(of: 10) == JSONPosition(offset: 10, line: 2, column: 2))
    }

    @Test func `a call that the position does not allow traps`() async {
        await #expect(processExitsWith: .failure) {
            var reader = JSONReader(Array("1".utf8))
            _ = try? reader.readInteger(as: Int.self)
            _ = try? reader.readInteger(as: Int.self)
        }
        await #expect(processExitsWith: .failure) {
            var reader = JSONReader(Array("[{}]".utf8))
            try reader.beginArray()
            _ = try? reader.nextMember()
        }
        await #expect(processExitsWith: .failure) {
            var reader = JSONReader(Array("[]".utf8))
            try reader.beginArray()
            try? reader.finish()
        }
    }
}
