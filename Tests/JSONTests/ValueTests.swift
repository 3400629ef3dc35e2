import JSON
import TestKit
import Testing

struct ValueTests {
    @Test func `a tree keeps numbers, order and repeated names`() throws {
        let text =
            #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\#u{e9}":1,"e\#u{301}":2},"#
            + #""d":1,"d":[true,null]}"#
        let tree = try JSONValue(parsing: text)
        #expect(tree.text.utf8.elementsEqual(text.utf8))
        #expect(tree["n"]?.integer == nil)
        #expect(tree["x"]?.double == 1.1)
        #expect(tree["u"]?.string == "\u{0}")
        #expect(tree["k"]?["\u{e9}"]?.integer == 1)
        #expect(tree["k"]?["e\u{301}"]?.integer == 2)
        #expect(tree["d"]?[0]?.bool == true)
        #expect(tree["d"]?[1] == .null)
        #expect(tree["d"]?[2] == nil)
        #expect(tree["d"]?[-1] == nil)
        #expect(tree["none"] == nil)
        #expect(tree[0] == nil)
        #expect(tree.object?.count == 7)
        #expect(tree.kind == .object)
    }

    @Test func `trees are equal if their texts are equal`() throws {
        let tree: JSONValue = ["a": 1, "b": [true, nil, "x"]]
        #expect(try JSONValue(parsing: #" { "a" : 1, "\u0062": [true,null,"x"] } "#) == tree)
        #expect(try JSONValue(parsing: #"{"b":[true,null,"x"],"a":1}"#) != tree)
        #expect(try JSONValue(parsing: "1.0") != JSONValue(parsing: "1"))
        #expect(JSONValue.string("\u{e9}") != .string("e\u{301}"))
        #expect(JSONValue.object([JSONMember("\u{e9}", 1)]) != .object([JSONMember("e\u{301}", 1)]))
    }

    @Test(arguments: TestSeeds.take(1))
    func `a random tree is equal after writing and reading`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for round in 0..<2_000 {
            let tree = JSONValue.random(depth: 5, using: &random)
            let bytes = tree.bytes
            try skip(bytes)
            #expect(try JSONValue(parsing: bytes) == tree, "seed \(seed), round \(round)")
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `a corrupted text never crashes, and skipping and reading agree`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet =
            Array("[]{}:,\"\\u0123456789eE+-.tfn \n".utf8) + [0x00, 0x7F, 0x80, 0xC3, 0xE2, 0xED, 0xF4, 0xFF]
        for round in 0..<5_000 {
            var bytes = JSONValue.random(depth: 4, using: &random).bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
                default: bytes[index] = alphabet.randomElement(using: &random) ?? 0
                }
            }
            let skipping = Result { try skip(bytes) }
            let reading = Result { try JSONValue(parsing: bytes) }
            switch (skipping, reading) {
            case (.success, .success): break
            case (.success, .failure(JSONError.type)): break  // an unpaired surrogate
            case (.failure(let left as JSONError), .failure(let right as JSONError)) where left == right: break
            case (.failure, .failure(JSONError.type)): break  // detected before the syntax error
            default: Issue.record("seed \(seed), round \(round): \(skipping) instead of \(reading) for \(bytes)")
            }
        }
    }
}

extension JSONValue {
    static func random(depth: Int, using random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .number(JSONNumber(Int64(bitPattern: random.next() >> UInt64.random(in: 0..<64, using: &random))))
        case 3: .number(JSONNumber(Double(bitPattern: random.next())) ?? JSONNumber(0))
        case 4, 5: .string(randomText(using: &random))
        case 6:
            .array((0..<Int.random(in: 0..<5, using: &random)).map { _ in .random(depth: depth - 1, using: &random) })
        default:
            .object(
                (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                    JSONMember(randomText(using: &random), .random(depth: depth - 1, using: &random))
                })
        }
    }

    private static func randomText(using random: inout SeededGenerator) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0..<24, using: &random) {
            let max = [0x20, 0x7F, 0x7F, 0x7F, 0x800, 0x10FFFF].randomElement(using: &random) ?? 0
            text.append(Unicode.Scalar(UInt32.random(in: 0...UInt32(max), using: &random)) ?? "x")
        }
        return String(text)
    }
}
