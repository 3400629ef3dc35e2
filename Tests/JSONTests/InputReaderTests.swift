import JSON
import Testing
import Values

@Suite struct InputReaderTests {
    private struct Order: Equatable {
        var name = ""
        var count = 0
        var place = ""
        var parts: [Int] = []

        enum Member: String, CaseIterable {
            case name, count, place, parts
        }

        enum PlaceMember: String, CaseIterable {
            case city = "a/b~c"
        }

        static let members = ObjectMembers<Member>(required: [.name, .count])
        static let membersOfDraft = ObjectMembers<Member>(excluding: [.count: "is not accepted in a draft"])
        static let place = ObjectMembers<PlaceMember>()

        static func read(
            _ input: inout InputReader, as members: ObjectMembers<Member> = members
        ) throws(JSONSyntaxError) -> Order {
            var order = Order()
            try input.object(members) { input, member throws(JSONSyntaxError) in
                switch member {
                case .name: order.name = try input.text(.name(bytesMax: 4)) ?? ""
                case .count: order.count = try input.integer(in: 1...9) ?? 0
                case .place:
                    try input.object(place) { input, _ throws(JSONSyntaxError) in
                        order.place = try input.string() ?? ""
                    }
                case .parts:
                    try input.array(0...3, of: "parts") { input throws(JSONSyntaxError) in
                        if let part = try input.integer(in: 0...5) { order.parts.append(part) }
                    }
                }
            }
            return order
        }
    }

    private func read(
        _ text: String, as members: ObjectMembers<Order.Member> = Order.members
    ) throws -> (order: Order, errors: [String]) {
        let (order, errors) = try InputReader.read(Array(text.utf8)) { input throws(JSONSyntaxError) in
            try Order.read(&input, as: members)
        }
        return (order, errors.all.map { "\($0.pointer): \($0.detail)" })
    }

    /// The errors of one value.
    private func errors<Value>(
        of text: String, _ read: (inout InputReader) throws(JSONSyntaxError) -> Value?
    ) throws -> [String] {
        let (value, errors) = try InputReader.read(Array(text.utf8), read)
        #expect((value == nil) == !errors.isEmpty, "\(text)")
        return errors.all.map(\.detail)
    }

    // MARK: Objects and arrays

    @Test func `a document is read`() throws {
        let (order, errors) = try read(#"{"parts":[1,2],"name":"a","count":3,"place":{"a/b~c":"x"}}"#)
        #expect(errors == [])
        #expect(order == Order(name: "a", count: 3, place: "x", parts: [1, 2]))
    }

    @Test func `all errors are reported, each with its pointer`() throws {
        let text = """
            {"name": "a b", "parts": [1, 6, "x", 2, 3], "place": {"a/b~c": 1, "d/e": 2}, "nam": 1, "name": "b",
             "other": 1}
            """
        #expect(
            try read(text).errors == [
                "/name: must be 1 to 4 characters of A-Z a-z 0-9 . _ : / -, but not . or ..",
                "/parts/1: must be an integer from 0 to 5",
                "/parts/2: must be an integer from 0 to 5, not a string",
                "/parts: has 5 parts; at most 3 are accepted",
                "/place/a~1b~0c: must be a string, not a number",
                "/place/d~1e: is not a known member; accepted are `a/b~c`",
                "/nam: is not a known member; did you mean `name`?",
                "/name: appears more than once",
                "/other: is not a known member; accepted are `name`, `count`, `place`, `parts`",
                "/count: is required",
            ])
    }

    @Test func `a member that an object excludes is an error with its reason, and is not suggested`() throws {
        let (_, errors) = try read(#"{"count":1,"coun":1}"#, as: Order.membersOfDraft)
        #expect(
            errors == [
                "/count: is not accepted in a draft",
                "/coun: is not a known member; accepted are `name`, `place`, `parts`",
            ])
    }

    @Test(arguments: [("[]", "an array"), ("null", "null"), ("7", "a number"), (#""a""#, "a string")])
    func `a value that is not an object is one error`(text: String, kind: String) throws {
        #expect(try read(text).errors == [": must be an object, not \(kind)"])
    }

    @Test func `found members are known after the object`() throws {
        _ = try InputReader.read(Array(#"{"name":"a","x":1}"#.utf8)) { input throws(JSONSyntaxError) in
            let found = try input.object(Order.membersOfDraft) { _, _ throws(JSONSyntaxError) in }
            #expect(found?.contains(.name) == true && found?.contains(.place) == false)
        }
    }

    @Test func `errors beyond the hundredth are only counted`() throws {
        let members = (0..<1_000).map { "\"m\($0)\":0" }.joined(separator: ",")
        let (_, errors) = try InputReader.read(Array("{\(members)}".utf8)) { input throws(JSONSyntaxError) in
            try Order.read(&input)
        }
        #expect(errors.count == 1_002 && errors.all.count == InputErrors.countMax)
    }

    @Test(arguments: [#"{"name":"a",}"#, #"{"name":"a"} x"#, #"{"parts":[1,]}"#, "{", ""])
    func `a syntax error ends the reading`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try read(text) }
    }

    // MARK: Values

    @Test func `texts are checked by their rules`() throws {
        let line = "must be 1 to 3 bytes without control characters"
        for (text, accepted) in [("abc", true), ("é", true), ("", false), ("abcd", false), ("éé", false)] {
            let found = try errors(of: "\"\(text)\"") { input throws(JSONSyntaxError) in
                try input.text(.line(bytesMax: 3))
            }
            #expect(found == (accepted ? [] : [line]), "\(text)")
        }
        for text in [#""\n""#, #""\u0000""#, #""\u007f""#] {
            #expect(
                try errors(of: text) { input throws(JSONSyntaxError) in try input.text(.line(bytesMax: 3)) } == [line])
        }
        for text in ["A-Z.0_9:/x", String(repeating: "n", count: 128)] { #expect(TextRule.name.accepts(text)) }
        for text in ["", "a b", "é", "a\n", String(repeating: "n", count: 129)] {
            #expect(!TextRule.name.accepts(text))
        }
    }

    @Test(arguments: [
        (#""auto""#, []), ("7", []), ("0", ["must be \"auto\" or an integer of seconds from 1 to 9"]),
        (#""Auto""#, ["must be \"auto\" or an integer of seconds from 1 to 9"]),
        ("null", ["must be \"auto\" or an integer of seconds from 1 to 9"]),
        ("1.5", ["must be \"auto\" or an integer of seconds from 1 to 9"]),
    ])
    func `a keyword may stand for an integer`(text: String, wanted: [String]) throws {
        let (_, errors) = try InputReader.read(Array(text.utf8)) { input throws(JSONSyntaxError) in
            try input.integer(in: 1...9, or: "auto", noun: "an integer of seconds")
        }
        #expect(errors.all.map(\.detail) == wanted)
    }

    @Test func `errors of values say what is accepted`() throws {
        #expect(
            try errors(of: "0") { input throws(JSONSyntaxError) in
                try input.number(in: 0.5...86_400, noun: "a number of seconds")
            } == ["must be a number of seconds from 0.5 to 86400"])
        #expect(
            try errors(of: "1e30") { input throws(JSONSyntaxError) in try input.integer(in: Int16.min...Int16.max) }
                == ["must be an integer from -32768 to 32767"])
        #expect(
            try errors(of: "1") { input throws(JSONSyntaxError) in try input.bool() }
                == ["must be a boolean, not a number"])
        #expect(
            try errors(of: #""x""#) { input throws(JSONSyntaxError) in try input.uuid() } == ["must be a UUID"])
        #expect(
            try errors(of: #""2030-02-30T00:00:00Z""#) { input throws(JSONSyntaxError) in try input.instant() }
                == ["names a day that does not exist"])
    }

    @Test func `a value that is too long is an error of its own kind`() throws {
        let (text, found) = try InputReader.read(Array("[1, 2]".utf8)) { input throws(JSONSyntaxError) in
            try input.json(bytesMax: 5)
        }
        #expect(text == nil && found.hasOversizedValue)
        #expect(found.all.map(\.detail) == ["is 6 bytes long; at most 5 are accepted"])
        #expect(
            try errors(of: "[1, 2]") { input throws(JSONSyntaxError) in try input.json(bytesMax: 6) } == [])
    }

    // MARK: Unknown names

    @Test(arguments: [
        ("typ", "type"), ("Type", "type"), ("prioritty", "priority"), ("tpye", "type"), ("epyt", "type"),
        ("tag", "tags"), ("uniquekey", "unique_key"), ("unique-key", "unique_key"),
    ])
    func `a near name is suggested`(name: String, known: String) {
        let names = ["type", "priority", "tags", "unique_key"]
        #expect(
            UnknownName.detail(of: name, kind: "member", known: names)
                == "is not a known member; did you mean `\(known)`?")
    }

    @Test func `without a near name, a short list is given`() {
        #expect(
            UnknownName.detail(of: "colour", kind: "member", known: ["type", "tags"])
                == "is not a known member; accepted are `type`, `tags`")
        #expect(
            UnknownName.detail(of: "a", kind: "member", known: (0..<11).map { "name\($0)" })
                == "is not a known member")
        #expect(
            UnknownName.detail(of: "a", kind: "parameter", known: []) == "is not a known parameter; none is accepted")
    }
}
