extension [UInt8] {
    /// Appends the decimal digits of a number that is not negative.
    mutating func append(decimal number: Int) {
        precondition(number >= 0, "a length is not negative")
        if number < 10 {
            append(UInt8(ascii: "0") + UInt8(number))
            return
        }
        let start = count
        var rest = number
        while rest > 0 {
            append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        self[start...].reverse()
    }

    /// Appends 16 hexadecimal digits.
    mutating func append(hexadecimal number: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
