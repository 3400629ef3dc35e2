/// The name of a member, compared with others without making a `String`.
///
/// Names are equal if their Unicode scalars are, escapes resolved: `"\u0074ype"` is `type`, but a composed letter is
/// not its decomposed form. (Swift's `String` calls those two equal, which would merge two members into one.)
public struct JSONKey: Sendable, Equatable, CustomStringConvertible {
    /// The document, or the decoded name alone if it was written with escapes.
    let bytes: [UInt8]
    let range: Range<Int>
    let wasEscaped: Bool
    /// Where the name's opening quotation mark stands in the reader's bytes.
    public let offset: Int

    /// The name for messages and pointers. An unpaired surrogate becomes U+FFFD.
    public var text: String { String(decoding: bytes[range], as: UTF8.self) }

    public var description: String { text }

    /// The name, or a type error if an unpaired surrogate in it makes it no Unicode text.
    func unicodeText() throws(JSONError) -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw .type(
                JSONTypeError(expected: "a name of Unicode text", found: "an unpaired surrogate", offset: offset))
        }
        return text
    }

    /// Lets a `switch` over a key list names: `case "type":`.
    public static func ~= (name: String, key: JSONKey) -> Bool {
        key == name
    }

    public static func == (key: JSONKey, name: String) -> Bool {
        guard name.utf8.count == key.range.count else { return false }
        let expected = name.utf8Span.span
        let found = key.bytes.span.extracting(key.range)
        for index in expected.indices where expected[index] != found[index] {
            return false
        }
        return true
    }

    public static func != (key: JSONKey, name: String) -> Bool {
        !(key == name)
    }

    public static func == (left: JSONKey, right: JSONKey) -> Bool {
        left.bytes[left.range].elementsEqual(right.bytes[right.range])
    }
}

/// The names met so far in one object, to find one that comes twice.
///
/// RFC 8259 section 4 leaves open what repeated names mean, so whoever reads an object for its meaning had better
/// refuse them. Up to 16 names cost no allocation; beyond that a hash table keeps a hostile object linear.
public struct JSONNameSet: Sendable {
    private static let inlineCount = 16

    private var document: [UInt8] = []
    private var ranges = InlineArray<16, Range<Int>>(repeating: 0..<0)
    private var count = 0
    /// Names that were escaped, and those that no longer fit in `ranges`.
    private var others: Set<[UInt8]> = []

    public init() {}

    /// Whether `key` is new. All keys must come from one reader.
    public mutating func insert(_ key: JSONKey) -> Bool {
        let name = key.bytes.span.extracting(key.range)
        for index in 0..<count where name.equals(document.span.extracting(ranges[index])) {
            return false
        }
        if count == Self.inlineCount || key.wasEscaped {
            return others.insert(Array(key.bytes[key.range])).inserted
        }
        if !others.isEmpty, others.contains(Array(key.bytes[key.range])) {
            return false
        }
        if count == 0 {
            document = key.bytes
        }
        ranges[count] = key.range
        count += 1
        return true
    }
}

extension Span<UInt8> {
    fileprivate func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] {
            return false
        }
        return true
    }
}
