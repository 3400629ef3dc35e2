/// The name of a member, which can be compared without creating a `String`.
///
/// Names are equal if their Unicode scalars are equal after decoding: `"\u0074ype"` equals `type`, but a composed
/// letter does not equal its decomposed form. (Swift's `String` treats those as equal, which would merge two members.)
public struct JSONKey: Sendable, Equatable, CustomStringConvertible {
    /// The document, or the decoded name if it contains escapes.
    let bytes: [UInt8]
    let range: Range<Int>
    let wasEscaped: Bool
    /// Index of the name's opening quotation mark in the reader's bytes.
    public let offset: Int

    /// The name as text. An unpaired surrogate becomes U+FFFD.
    public var text: String { String(decoding: bytes[range], as: UTF8.self) }

    public var description: String { text }

    /// The name as text, or a type error if it contains an unpaired surrogate.
    func unicodeText() throws(JSONError) -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw .type(
                JSONTypeError(expected: "a name of Unicode text", found: "an unpaired surrogate", offset: offset))
        }
        return text
    }

    /// Allows names as patterns in a `switch` over a key: `case "type":`.
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

/// The names of the members read so far in one object, for the detection of repeated names.
///
/// RFC 8259 section 4 does not define the meaning of repeated names, so they should be rejected. Up to 16 names need no
/// allocation; more are kept in a hash table, so that the time stays linear in the size of the object.
public struct JSONNameSet: Sendable {
    private static let inlineCount = 16

    private var document: [UInt8] = []
    private var ranges = InlineArray<16, Range<Int>>(repeating: 0..<0)
    private var count = 0
    /// Names with escapes, and those that do not fit in `ranges`.
    private var others: Set<[UInt8]> = []

    public init() {}

    /// Inserts a key. Returns false if the name is already present. All keys must come from one reader.
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
