internal import Telemetry
internal import Values

/// The header field `Retry-After` (RFC 9110 section 10.2.3): seconds or a date.
enum RetryAfter {
    /// The wait in seconds, 0 to 86,400; nil if the value is neither seconds nor a date. The two obsolete date formats
    /// of RFC 9110 section 5.6.7 are not supported: the backoff of the job applies then.
    static func seconds(_ value: String, at now: WallInstant) -> Double? {
        if !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return min(Double(value) ?? .infinity, WebhookLimits.retryAfterSecondsMax)
        }
        guard let instant = date(value) else { return nil }
        let (seconds, attoseconds) = (instant - now).components
        return min(max(Double(seconds) + Double(attoseconds) / 1e18, 0), WebhookLimits.retryAfterSecondsMax)
    }

    /// A date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    private static func date(_ text: String) -> WallInstant? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].utf8.last == UInt8(ascii: ","), words[5] == "GMT",
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let number = month + 1 < 10 ? "0\(month + 1)" : "\(month + 1)"
        return try? WallInstant(parsing: "\(words[3])-\(number)-\(words[1])T\(words[4])Z")
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
