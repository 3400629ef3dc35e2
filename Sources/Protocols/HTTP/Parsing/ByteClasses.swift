// Byte classes of the grammars in RFC 9110 section 5.6 and RFC 3986. Protocol text is compared as bytes: a Swift
// `Character` joins CR and LF, and `==` on `String` treats canonically equivalent but different bytes as equal.

extension UInt8 {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09

    /// RFC 9110 section 5.6.2, `tchar`.
    var isToken: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// A byte allowed within a field value: `field-vchar`, SP or HTAB (RFC 9110 section 5.5).
    var isFieldText: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }

    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    var isBlank: Bool { self == .space || self == .tab }

    /// The byte in lower case if it is an ASCII letter, else the byte itself.
    var lowercased: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }

    /// RFC 3986 `unreserved` or `sub-delims`: the bytes of a registered name, except escapes.
    var isRegisteredName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    /// RFC 3986 `pchar` or a slash: the bytes of a path, except escapes.
    var isPath: Bool {
        isRegisteredName || self == UInt8(ascii: ":") || self == UInt8(ascii: "@") || self == UInt8(ascii: "/")
    }
}

/// A range of bytes within a head, with 16-bit bounds.
struct ByteRange: Sendable, Equatable {
    private var start: UInt16
    private var end: UInt16

    static let empty = ByteRange(0, 0)

    /// - Precondition: 0 <= start <= end <= 65,535.
    init(_ start: Int, _ end: Int) {
        precondition(start <= end, "a range ends before it starts")
        self.start = UInt16(start)
        self.end = UInt16(end)
    }

    var lowerBound: Int { Int(start) }
    var upperBound: Int { Int(end) }
    var count: Int { Int(end) - Int(start) }
    var isEmpty: Bool { start == end }

    /// The same bytes in a buffer where the head starts at `base`.
    func indices(from base: Int = 0) -> Range<Int> { base + Int(start)..<base + Int(end) }
}

extension Span<UInt8> {
    /// Whether the bytes equal `text`, ignoring ASCII case. `text` is ASCII in lower case.
    func equals(_ range: Range<Int>, lowercase text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var index = range.lowerBound
        for byte in text.utf8 {
            guard self[index].lowercased == byte else { return false }
            index += 1
        }
        return true
    }
}
