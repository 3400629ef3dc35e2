import Glibc

/// An instant of the wall clock, in microseconds since 1970-01-01T00:00:00Z, without leap seconds (POSIX time).
///
/// PostgreSQL stores microseconds too, so an instant passes through the database unchanged. Decisions about jobs use
/// PostgreSQL's clock; `now()` is for log lines and for display.
public struct WallInstant: Comparable, Hashable, Sendable {
    /// Negative before 1970.
    public var microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The first instant of year 1. The range of RFC 3339 is `earliest` to `latest`.
    public static let earliest = WallInstant(microseconds: -62_135_596_800_000_000)
    /// The last microsecond of year 9999.
    public static let latest = WallInstant(microseconds: 253_402_300_799_999_999)

    /// The current time of this machine's clock (`CLOCK_REALTIME`).
    public static func now() -> WallInstant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallInstant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    public static func < (left: WallInstant, right: WallInstant) -> Bool {
        left.microseconds < right.microseconds
    }

    /// Clamped to `earliest` and `latest`.
    public static func + (instant: WallInstant, duration: Duration) -> WallInstant {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return seconds < 0 ? earliest : latest }
        let (shift, overflowOfShift) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        let (sum, overflowOfSum) = instant.microseconds.addingReportingOverflow(shift)
        guard !overflowOfShift, !overflowOfSum else { return seconds < 0 ? earliest : latest }
        return min(max(WallInstant(microseconds: sum), earliest), latest)
    }

    public static func - (instant: WallInstant, duration: Duration) -> WallInstant {
        instant + (.zero - duration)
    }

    public static func - (later: WallInstant, earlier: WallInstant) -> Duration {
        .microseconds(later.microseconds) - .microseconds(earlier.microseconds)
    }
}

extension WallInstant: CustomStringConvertible {
    /// RFC 3339 with six digits of fraction and `Z`, as in `2026-03-01T12:00:00.000000Z`.
    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the 27 bytes of `description`. Clamps the instant to `earliest` and `latest`, because RFC 3339 has four
    /// digits for the year.
    public func append(to bytes: inout [UInt8]) {
        let clamped = min(max(self, .earliest), .latest).microseconds
        let (days, microsecondOfDay) = clamped.dividedDown(by: 86_400_000_000)
        let date = CivilDate(daysSince1970: days)
        let secondOfDay = UInt32(microsecondOfDay / 1_000_000)
        let microsecond = UInt32(microsecondOfDay % 1_000_000)
        bytes.append(twoDigits: UInt32(date.year / 100))
        bytes.append(twoDigits: UInt32(date.year % 100))
        bytes.append(UInt8(ascii: "-"))
        bytes.append(twoDigits: UInt32(date.month))
        bytes.append(UInt8(ascii: "-"))
        bytes.append(twoDigits: UInt32(date.day))
        bytes.append(UInt8(ascii: "T"))
        bytes.append(twoDigits: secondOfDay / 3_600)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(twoDigits: secondOfDay / 60 % 60)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(twoDigits: secondOfDay % 60)
        bytes.append(UInt8(ascii: "."))
        bytes.append(twoDigits: microsecond / 10_000)
        bytes.append(twoDigits: microsecond / 100 % 100)
        bytes.append(twoDigits: microsecond % 100)
        bytes.append(UInt8(ascii: "Z"))
    }
}

/// A day of the proleptic Gregorian calendar, converted by Howard Hinnant's `civil_from_days` and `days_from_civil`
/// ("chrono-Compatible Low-Level Date Algorithms"): the year is counted from March, so that the leap day is its last.
struct CivilDate: Equatable {
    var year: Int64
    /// 1 ... 12
    var month: Int64
    /// 1 ... 31
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSince1970: Int64) {
        let (era, dayOfEra) = (daysSince1970 + 719_468).dividedDown(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = yearFromMarch.dividedDown(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    /// Quotient rounded down and a remainder that is never negative; `divisor` must be positive.
    fileprivate func dividedDown(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension [UInt8] {
    /// Appends two decimal digits of a number below 100.
    fileprivate mutating func append(twoDigits value: UInt32) {
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }
}
