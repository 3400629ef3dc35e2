import JSON
import Testing

struct StringTests {
    @Test(arguments: [
        (#""""#, ""), (#""plain""#, "plain"), (#""\u0000\u001F""#, "\u{0}\u{1F}"),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC\uffff""#, "Aé€\u{FFFF}"),
        (#""\ud83d\ude00x\uD834\uDd1e""#, "😀x𝄞"), (#""\udbff\udfff""#, "\u{10FFFF}"), (#""\ud800\udc00""#, "\u{10000}"),
        (#""e\u0301""#, "e\u{301}"), (#""\\u0041""#, "\\u0041"), (#""日本\n語""#, "日本\n語"),
    ])
    func `escapes are decoded`(_ text: String, _ value: String) throws {
        var reader = JSONReader(Array(text.utf8))
        let string = try reader.readString()
        try reader.finish()
        #expect(string.unicodeScalars.elementsEqual(value.unicodeScalars))
        var again = JSONReader(Array(text.utf8))
        #expect(try again.readStringBytes() == Array(value.utf8))
    }

    @Test(arguments: [
        #""\ud800""#, #""\udc00""#, #""a\ud83d""#, #""\ud83d\ud83d\ude00""#, #""\ude00\ud83d""#, #""\ud83dA\ude00""#,
        #""\ud83d\n""#, #""\ud83d\u0041""#,
    ])
    func `an unpaired surrogate is a type error, and the raw bytes can still be read`(_ text: String) throws {
        var reader = JSONReader(Array("{\"a\": \(text)}".utf8))
        try reader.beginObject()
        _ = try reader.nextMember()
        let expected = JSONError.type(
            JSONTypeError(expected: "a string of Unicode text", found: "an unpaired surrogate", offset: 6))
        #expect(throws: expected) { _ = try reader.readString() }
        #expect(throws: expected) { _ = try reader.readStringBytes() }
        let range = try reader.skipValue()
        #expect(String(decoding: reader.bytes[range], as: UTF8.self) == text)
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: "{\(text):1}") }
    }

    @Test func `names are compared by scalars after decoding`() throws {
        func key(_ quoted: String) throws -> JSONKey {
            var reader = JSONReader(Array("{\(quoted):1}".utf8))
            try reader.beginObject()
            return try #require(try reader.nextMember())
        }
        #expect(try key(#""type""#) == "type")
        #expect(try key(#""\u0074ype""#) == "type")
        #expect(try key(#""\u0074ype""#) == key(#""type""#))
        #expect(try key(#""typ""#) != "type")
        #expect(try key(#""types""#) != "type")
        #expect(try key(#""typf""#) != "type")
        #expect(try key(#""""#) == "")
        #expect(try key(#""\u00e9""#) == "\u{e9}")
        #expect(try key(#""\u00e9""#) != "e\u{301}")
        #expect(try key(#""e\u0301""#) != key(#""\u00e9""#))
        #expect(try key(#""\ud800""#) != key(#""\ud801""#))
        #expect(try key(#""\ud800""#) != key(#""\ufffd""#))
        #expect(try key(#""\n""#).text == "\n")
        #expect(try key(#""a_name_of_more_than_fifteen_bytes""#) == "a_name_of_more_than_fifteen_bytes")
    }

    @Test(arguments: [0, 3, 15, 16, 17, 40])
    func `a repeated name is detected, escaped or not, among any number of others`(_ others: Int) throws {
        func firstRepeated(_ names: [String]) throws -> Int? {
            let text = "{" + names.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
            var reader = JSONReader(Array(text.utf8))
            var seen = JSONNameSet()
            var index = 0
            try reader.beginObject()
            while let key = try reader.nextMember() {
                guard seen.insert(key) else { return index }
                index += 1
            }
            return nil
        }
        let filler = (0..<others).map { "member\($0)" }
        #expect(try firstRepeated(filler + ["a", "b", "\\u00e9", "e\\u0301", "A", "aa"]) == nil)
        for (first, second) in [("a", "a"), ("a", "\\u0061"), ("\\u0061", "a"), ("\\u0061", "\\u0061")] {
            #expect(try firstRepeated([first] + filler + [second]) == others + 1)
            #expect(try firstRepeated(filler + [first, "b", second]) == others + 2)
        }
    }

    @Test func `a pointer escapes tilde and slash`() {
        #expect(JSONPointer.root.text == "")
        #expect(JSONPointer.root.appending("jobs").appending(3).appending("a/b~c").text == "/jobs/3/a~1b~0c")
        #expect(JSONPointer.root.appending("").text == "/")
        #expect(JSONPointer.root.appending("\u{e9}") != JSONPointer.root.appending("e\u{301}"))
        #expect(Set([JSONPointer.root.appending("\u{e9}"), JSONPointer.root.appending("e\u{301}")]).count == 2)
    }
}
