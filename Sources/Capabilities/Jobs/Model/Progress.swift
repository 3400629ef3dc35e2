internal import JSON
internal import Telemetry
public import Values

/// How far a job said that it was.
public struct Progress: Hashable, Sendable {
    /// 0 to 100.
    public let percent: Int16
    public let message: String?
    public let reportedAt: WallInstant
}

/// What the handler of a running job says of how far it is.
public struct ProgressReport: Hashable, Sendable {
    /// Of `message`, in UTF-8.
    public static let messageBytesMax = 1_000

    public let percent: Int16
    public let message: String?

    /// Takes what a program has written: a percentage out of range becomes the nearest in it, a message that is too long
    /// is cut after a character, and U+0000, which PostgreSQL cannot store, becomes U+FFFD.
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
