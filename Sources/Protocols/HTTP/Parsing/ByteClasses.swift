// Classes of bytes by the grammars of RFC 9110 section 5.6 and RFC 3986. Protocol text is compared as
// bytes: a Swift `Character` joins CR and LF, and `==` on `String` merges what a peer keeps apart.

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

    /// What may stand within a line: `field-vchar`, SP and HTAB (RFC 9110 section 5.5).
    var isFieldText: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }

    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    var isBlank: Bool { self == .space || self == .tab }

    /// In lower case, if an ASCII letter.
    var lowercased: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }

    /// RFC 3986 `unreserved` or `sub-delims`: what a registered name is made of, besides escapes.
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

    /// RFC 3986 `pchar` without escapes, and the slash: what a path is made of, besides escapes.
    var isPath: Bool {
        isRegisteredName || self == UInt8(ascii: ":") || self == UInt8(ascii: "@") || self == UInt8(ascii: "/")
    }
}

/// A range within a head, in 16 bits a bound.
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
    /// Whether the bytes are `text`, which is ASCII in lower case, whatever their own case.
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
