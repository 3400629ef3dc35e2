/// The result of `scanNumber`.
struct NumberScan {
    /// Index after the last byte, or of the invalid byte.
    var end: Int
    /// Nil if the number is well-formed.
    var fault: ScanFault?
}

extension Span<UInt8> {
    /// Checks the number that begins at `start` with a digit or a minus sign (RFC 8259 section 6).
    func scanNumber(from start: Int) -> NumberScan {
        var end = start
        if self[end] == UInt8(ascii: "-") {
            end += 1
        }
        let integerDigits = digitsLength(at: end)
        guard integerDigits > 0 else {
            return NumberScan(end: end, fault: .noDigitAfterMinus)
        }
        guard integerDigits == 1 || self[end] != UInt8(ascii: "0") else {
            return NumberScan(end: end, fault: .leadingZero)
        }
        end += integerDigits
        if end < count, self[end] == UInt8(ascii: ".") {
            end += 1
            let digits = digitsLength(at: end)
            guard digits > 0 else {
                return NumberScan(end: end, fault: .noDigitAfterPoint)
            }
            end += digits
        }
        if end < count, self[end] | 0x20 == UInt8(ascii: "e") {
            end += 1
            if end < count, self[end] == UInt8(ascii: "+") || self[end] == UInt8(ascii: "-") {
                end += 1
            }
            let digits = digitsLength(at: end)
            guard digits > 0 else {
                return NumberScan(end: end, fault: .noDigitInExponent)
            }
            end += digits
        }
        return NumberScan(end: end)
    }

    private func digitsLength(at index: Int) -> Int {
        var end = index
        while end < count, self[end] >= UInt8(ascii: "0"), self[end] <= UInt8(ascii: "9") {
            end += 1
        }
        return end - index
    }
}
