/// A violation of the grammar in a string or a number.
enum ScanFault {
    case endInString
    case controlCharacter
    case unknownEscape
    case invalidUnit
    case invalidUTF8
    case noDigitAfterMinus
    case leadingZero
    case noDigitAfterPoint
    case noDigitInExponent
}

extension Span<UInt8> {
    /// The error message for `fault` at `index`.
    func message(for fault: ScanFault, at index: Int) -> String {
        switch fault {
        case .endInString: "unexpected end of input in a string"
        case .controlCharacter: "expected control characters in a string to be escaped, found \(describe(at: index))"
        case .unknownEscape: "expected one of \"\\/bfnrtu after a backslash, found \(describe(at: index + 1))"
        case .invalidUnit: "expected four hexadecimal digits after \\u"
        case .invalidUTF8: "expected UTF-8 in a string, found \(describe(at: index))"
        case .noDigitAfterMinus: "expected a digit after '-', found \(describe(at: index))"
        case .leadingZero: "expected a number without leading zeros"
        case .noDigitAfterPoint: "expected a digit after '.', found \(describe(at: index))"
        case .noDigitInExponent: "expected a digit in the exponent, found \(describe(at: index))"
        }
    }

    /// The byte at `index` for a message: `'x'`, `the byte 0xFF`, or `the end of the input`.
    func describe(at index: Int) -> String {
        guard index < count else { return "the end of the input" }
        let byte = self[index]
        if byte > 0x20, byte < 0x7F {
            return "'\(Character(Unicode.Scalar(byte)))'"
        }
        let digits = String(byte, radix: 16, uppercase: true)
        return "the byte 0x\(digits.utf8.count < 2 ? "0" : "")\(digits)"
    }
}
