internal import Values

/// The position of the next page of a list. Clients treat it as opaque; it is a digit for the version of this form, and
/// the id of the last job of the page before in 32 hexadecimal digits.
struct JobCursor: Equatable {
    let last: UUID

    private static let version = UInt8(ascii: "1")

    init(after last: UUID) {
        self.last = last
    }

    /// nil if `text` is not such a cursor.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 33, bytes[0] == Self.version, let high = Self.word(bytes[1..<17]),
            let low = Self.word(bytes[17..<33])
        else { return nil }
        last = UUID(high: high, low: low)
    }

    var text: String {
        var bytes = [Self.version]
        bytes.append(hexadecimal: last.high)
        bytes.append(hexadecimal: last.low)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func word(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var word: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): word = word << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): word = word << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return word
    }
}
