extension [UInt8] {
    /// Appends the decimal digits of a number.
    /// - Precondition: `number` is not negative.
    mutating func append(decimal number: Int) {
        precondition(number >= 0, "a negative number")
        // Int.max has 19 digits.
        var digits = InlineArray<19, UInt8>(repeating: 0)
        var first = 19
        var rest = UInt(number)
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        for index in first..<19 { append(digits[index]) }
    }
}
