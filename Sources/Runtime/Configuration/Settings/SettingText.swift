/// Conversions between texts of settings and values. Nil for a text that is not a valid value.
enum SettingText {
    /// Decimal digits with an optional minus sign. Unlike in `Int.init`, a plus sign is not accepted.
    static func integer(_ text: some StringProtocol) -> Int? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return nil }
        return Int(text)
    }

    /// `90`, `0.5` or `1.000001`, without sign and exponent.
    static func seconds(_ text: String) -> Duration? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = integer(parts[0]), parts[0].utf8.allSatisfy(isDigit), whole <= 1_000_000_000_000 else {
            return nil
        }
        guard parts.count == 2 else { return .seconds(whole) }
        guard parts[1].utf8.count <= 6, parts[1].utf8.allSatisfy(isDigit),
            let fraction = integer(parts[1] + String(repeating: "0", count: 6 - parts[1].utf8.count)),
            !parts[1].isEmpty
        else { return nil }
        return .seconds(whole) + .microseconds(fraction)
    }

    static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let fraction = attoseconds / 1_000_000_000_000
        guard fraction != 0 else { return seconds.description }
        var digits = (fraction + 1_000_000).description.dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(seconds).\(digits)"
    }

    private static let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("Gi", 30), ("Mi", 20), ("Ki", 10)]

    /// An integer, with an optional binary unit as in Kubernetes (`Mi`) or in IEC notation (`MiB`).
    static func bytes(_ text: String) -> Int? {
        let unit = units.first { text.hasSuffix($0.0) }
        guard let number = integer(text.dropLast(unit?.0.count ?? 0)), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (unit?.1 ?? 0))
        return overflow ? nil : bytes
    }

    /// The text with the largest unit that leaves an integer.
    static func bytes(_ count: Int) -> String {
        let unit = units.prefix(3).first { count > 0 && count % (1 << $0.1) == 0 }
        return unit.map { "\(count >> $0.1)\($0.0)" } ?? count.description
    }

    static func checked(_ text: String, _ isValid: (String) -> Bool) throws(SettingMistake) -> String {
        guard isValid(text) else { throw SettingMistake("is not accepted") }
        return text
    }

    static func list(_ text: String) -> [String] {
        text.split(separator: ",").compactMap { element in
            let blanks: Set<Character> = [" ", "\t", "\n", "\r", "\r\n"]
            let start = element.drop { blanks.contains($0) }
            let end = start.reversed().prefix { blanks.contains($0) }.count
            return start.count == end ? nil : String(start.dropLast(end))
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
