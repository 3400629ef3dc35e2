internal import EventLoop
internal import Glibc
internal import Values

/// The `Date` line of responses (RFC 9110 section 6.6.1), formatted once per second.
struct DateLine: Sendable {
    /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` with CRLF.
    private(set) var bytes: [UInt8] = []
    private var validUntil = MonotonicInstant(nanoseconds: .min)

    /// Formats the line for the current second, unless it is already current.
    mutating func update(_ now: MonotonicInstant) {
        guard now >= validUntil else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: "Date: ".utf8)
        bytes.append(httpDate: Int(time.tv_sec))
        bytes.append(contentsOf: "\r\n".utf8)
        // `now` is the loop's cached time and may lag behind the clock, so the line may be replaced that much late.
        validUntil = MonotonicInstant(nanoseconds: now.nanoseconds + 1_000_000_000 - Int64(time.tv_nsec))
    }
}

extension [UInt8] {
    /// Appends the IMF-fixdate (RFC 9110 section 5.6.7) of a time in seconds since 1970. Years have four digits.
    mutating func append(httpDate seconds: Int) {
        let days = Int((Double(seconds) / 86_400).rounded(.down))
        let second = seconds - days * 86_400
        // Days to civil date, in eras of 400 years that start on 1 March, so that a leap day ends its year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // 1 January 1970 was a Thursday.
        let weekday = ((days + 4) % 7 + 7) % 7

        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        append(contentsOf: weekdays[weekday].utf8)
        append(contentsOf: ", ".utf8)
        append(twoDigits: day)
        append(.space)
        append(contentsOf: months[month - 1].utf8)
        append(.space)
        append(twoDigits: year / 100)
        append(twoDigits: year % 100)
        append(.space)
        append(twoDigits: second / 3600)
        append(UInt8(ascii: ":"))
        append(twoDigits: second / 60 % 60)
        append(UInt8(ascii: ":"))
        append(twoDigits: second % 60)
        append(contentsOf: " GMT".utf8)
    }

    private mutating func append(twoDigits number: Int) {
        append(UInt8(ascii: "0") + UInt8(number / 10 % 10))
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
