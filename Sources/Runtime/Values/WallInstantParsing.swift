/// Why a text is not a valid instant. The description completes the sentence "`run_at` ...".
public enum WallInstantError: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed
    case noSuchDay
    case noSuchTime
    case leapSecond
    case noSuchOffset
    case outOfRange

    public var description: String {
        switch self {
        case .malformed: "is not an RFC 3339 instant such as 2026-03-01T12:00:00Z or 2026-03-01T12:00:00.250+01:00"
        case .noSuchDay: "names a day that does not exist"
        case .noSuchTime: "names a time of day that does not exist"
        case .leapSecond: "names a leap second (:60), which is not supported: use :59 or the next minute"
        case .noSuchOffset: "has an offset from UTC beyond 23:59"
        case .outOfRange: "lies outside the years 0001 to 9999 in UTC"
        }
    }
}

extension WallInstant {
    /// Parses an RFC 3339 `date-time`: `T` and `Z` in either case, any numeric offset, one to nine digits of fraction,
    /// which are truncated to microseconds. No other characters are allowed before or after it.
    public init(parsing text: some StringProtocol) throws(WallInstantError) {
        try self.init(parsing: Array(text.utf8)[...])
    }

    public init(parsing bytes: ArraySlice<UInt8>) throws(WallInstantError) {
        var rest = DateTimeScanner(rest: bytes)
        let date = CivilDate(
            year: try rest.number(digits: 4, before: "-"),
            month: try rest.number(digits: 2, before: "-"),
            day: try rest.number(digits: 2, before: "T")
        )
        let hour = try rest.number(digits: 2, before: ":")
        let minute = try rest.number(digits: 2, before: ":")
        let second = try rest.number(digits: 2)
        let microsecond = try rest.fractionInMicroseconds()
        let offsetMinutes = try rest.offsetInMinutes()
        guard rest.isAtEnd else { throw .malformed }

        guard date.year >= 1, (1...12).contains(date.month), date.day >= 1,
            date.day <= CivilDate.daysInMonth(date.month, of: date.year)
        else { throw .noSuchDay }
        guard hour < 24, minute < 60, second <= 60 else { throw .noSuchTime }
        guard second < 60 else { throw .leapSecond }
        let minutes = date.daysSince1970 * 1_440 + hour * 60 + minute - offsetMinutes
        self.init(microseconds: (minutes * 60 + second) * 1_000_000 + microsecond)
        guard self >= .earliest, self <= .latest else { throw .outOfRange }
    }
}

/// Consumes the parts of a date-time from the front of its bytes.
private struct DateTimeScanner {
    var rest: ArraySlice<UInt8>

    var isAtEnd: Bool { rest.isEmpty }

    mutating func digit() -> Int64? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        rest.removeFirst()
        return Int64(byte - UInt8(ascii: "0"))
    }

    /// Exactly `digits` digits.
    mutating func number(digits: Int) throws(WallInstantError) -> Int64 {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit() else { throw .malformed }
            value = value * 10 + digit
        }
        return value
    }

    mutating func number(digits: Int, before separator: Unicode.Scalar) throws(WallInstantError) -> Int64 {
        let value = try number(digits: digits)
        guard take(separator) else { throw .malformed }
        return value
    }

    /// Takes an ASCII character; a letter in either case (RFC 3339 section 5.6, note on `T` and `Z`).
    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        let wanted = UInt8(ascii: scalar)
        guard let byte = rest.first, byte == wanted || (scalar.properties.isAlphabetic && byte == wanted | 0x20) else {
            return false
        }
        rest.removeFirst()
        return true
    }

    mutating func fractionInMicroseconds() throws(WallInstantError) -> Int64 {
        guard take(".") else { return 0 }
        var value: Int64 = 0
        var digits = 0
        while let digit = digit() {
            digits += 1
            if digits <= 6 { value = value * 10 + digit }
        }
        guard (1...9).contains(digits) else { throw .malformed }
        for _ in min(digits, 6)..<6 { value *= 10 }
        return value
    }

    mutating func offsetInMinutes() throws(WallInstantError) -> Int64 {
        if take("Z") { return 0 }
        let isEast = take("+")
        guard isEast || take("-") else { throw .malformed }
        let hours = try number(digits: 2, before: ":")
        let minutes = try number(digits: 2)
        guard hours < 24, minutes < 60 else { throw .noSuchOffset }
        return isEast ? hours * 60 + minutes : -(hours * 60 + minutes)
    }
}
