internal import JSON
public import Postgres
public import Values

/// The latest report of a job's handler.
public struct Progress: Hashable, Sendable {
    /// 0 to 100.
    public let percent: Int16
    public let message: String?
    public let reportedAt: WallInstant
}

extension Progress: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        percent = try columns.next()
        message = try columns.next()
        reportedAt = try columns.next()
    }

    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Progress? {
        let percent: Int16? = try columns.next()
        let message: String? = try columns.next()
        let reportedAt: WallInstant? = try columns.next()
        guard let percent, let reportedAt else { return nil }
        return Progress(percent: percent, message: message, reportedAt: reportedAt)
    }
}

/// A handler's report on how far its job is.
public struct ProgressReport: Hashable, Sendable {
    /// Bytes of `message`, in UTF-8.
    public static let messageBytesMax = 1_000

    public let percent: Int16
    public let message: String?

    /// Accepts whatever a program has written: a percentage out of range becomes the nearest bound, a message that is
    /// too long is cut after a character, and U+0000, which PostgreSQL cannot store, becomes U+FFFD.
    public init(percent: Double, message: String?) {
        self.percent = percent.isNaN ? 0 : Int16(min(100, max(0, percent)))
        self.message = message.map(Self.storable)
    }

    private static func storable(_ message: String) -> String {
        var text = ""
        var bytes = 0
        for scalar in message.unicodeScalars {
            let stored = scalar == "\0" ? "\u{FFFD}" : scalar
            bytes += UTF8.width(stored)
            if bytes > messageBytesMax { break }
            text.unicodeScalars.append(stored)
        }
        return text
    }
}
