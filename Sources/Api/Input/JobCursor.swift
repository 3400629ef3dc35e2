internal import Postgres
internal import Values

/// Where the next page of a list begins. For clients it is a text without meaning; here it is the id of the last job of
/// the page before, in hexadecimal, behind the version of this form.
struct JobCursor: Equatable {
    let last: UUID

    private static let version = UInt8(ascii: "1")

    init(after last: UUID) {
        self.last = last
    }

    /// Nil for what was not made here.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 33, bytes[0] == Self.version, let high = Self.word(bytes[1..<17]),
            let low = Self.word(bytes[17..<33])
        else { return nil }
        last = UUID(high: high, low: low)
    }

    var text: String {
        var bytes = [Self.version]
        for word in [last.high, last.low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 15
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
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
