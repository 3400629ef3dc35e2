/// The exact integer value of a number.
enum ExactInteger: Equatable {
    case value(Int128)
    /// Not an integer.
    case fraction
    /// A magnitude of 2^64 or more.
    case tooLarge
}

extension Span<UInt8> {
    /// Converts the well-formed number in `range` without rounding. The value decides, not the notation: `1.0`, `1e2`
    /// and `-0` are integers, as in JSON Schema (2020-12, section 4.2.3); `1.5` and `1e-2` are not. Takes time linear
    /// in the length of the text, regardless of the exponent.
    func exactInteger(_ range: Range<Int>) -> ExactInteger {
        let text = extracting(range)
        var decimal = Decimal()
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "-"): decimal.isNegative = true
            case UInt8(ascii: "."): decimal.isInFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                decimal.exponent += text.exponent(from: index + 1)
                return decimal.integer
            case let digit: decimal.append(digit - UInt8(ascii: "0"))
            }
            index += 1
        }
        return decimal.integer
    }

    /// The signed exponent from `index` to the end, clamped to plus or minus 10^15. No text has enough digits before
    /// the exponent to make a difference beyond that.
    private func exponent(from index: Int) -> Int {
        let limit = 1_000_000_000_000_000
        var magnitude = 0
        var isNegative = false
        for position in index..<count {
            switch self[position] {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "+"): break
            case let digit: magnitude = Swift.min(magnitude * 10 + Int(digit - UInt8(ascii: "0")), limit)
            }
        }
        return isNegative ? -magnitude : magnitude
    }
}

/// `significand * 10^(exponent + zeros)`. Trailing zeros are counted in `zeros` until another digit follows.
private struct Decimal {
    var isNegative = false
    var isInFraction = false
    var exponent = 0
    private var significand: UInt64 = 0
    private var zeros = 0
    private var hasOverflowed = false

    mutating func append(_ digit: UInt8) {
        if isInFraction {
            exponent -= 1
        }
        guard digit != 0 else {
            zeros += significand == 0 && !hasOverflowed ? 0 : 1
            return
        }
        while zeros > 0, !hasOverflowed {
            multiplyByTen()
            zeros -= 1
        }
        zeros = 0
        multiplyByTen()
        let (sum, overflow) = significand.addingReportingOverflow(UInt64(digit))
        significand = sum
        hasOverflowed = hasOverflowed || overflow
    }

    private mutating func multiplyByTen() {
        let (product, overflow) = significand.multipliedReportingOverflow(by: 10)
        significand = product
        hasOverflowed = hasOverflowed || overflow
    }

    var integer: ExactInteger {
        if significand == 0, !hasOverflowed { return .value(0) }
        let scale = exponent + zeros
        if scale < 0 { return .fraction }
        if hasOverflowed || scale > 19 { return .tooLarge }
        var scaled = self
        for _ in 0..<scale {
            scaled.multiplyByTen()
        }
        if scaled.hasOverflowed { return .tooLarge }
        return .value(isNegative ? -Int128(scaled.significand) : Int128(scaled.significand))
    }
}
