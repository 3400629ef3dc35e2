internal import Values

/// The format of log lines. In both formats one record is one line of valid UTF-8 without terminal control characters,
/// regardless of its texts.
public enum LogFormat: Sendable, Equatable {
    /// A JSON object: `timestamp`, `level`, `message`, `component`, then the fields.
    case json
    /// Plain text: time of day (UTC), level, component, message, then `name=value` for each field.
    case console(coloured: Bool)

    /// Maximum length of a text, in bytes. Longer texts are truncated, so that one job's output cannot fill the log.
    static let textBytesMax = 16 * 1024

    /// Appends the record and a newline.
    public func append(_ record: LogRecord, to bytes: inout [UInt8]) {
        switch self {
        case .json: Self.appendJSON(record, to: &bytes)
        case .console(let coloured): Self.appendConsole(record, coloured: coloured, to: &bytes)
        }
        bytes.append(UInt8(ascii: "\n"))
    }
}

// MARK: - JSON

extension LogFormat {
    private static func appendJSON(_ record: LogRecord, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"timestamp":""#.utf8)
        record.instant.append(to: &bytes)
        bytes.append(contentsOf: #"","level":""#.utf8)
        bytes.append(contentsOf: record.level.rawValue.utf8)
        bytes.append(contentsOf: #"","message":"#.utf8)
        appendQuoted(record.message, to: &bytes)
        bytes.append(contentsOf: #","component":"#.utf8)
        appendQuoted(record.component, to: &bytes)
        for field in record.fields.list {
            bytes.append(UInt8(ascii: ","))
            appendQuoted(field.name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            appendJSON(field.value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private static func appendJSON(_ value: LogValue, to bytes: inout [UInt8]) {
        switch value {
        case .string(let text):
            appendQuoted(text, to: &bytes)
        case .double(let number) where !number.isFinite:
            // JSON cannot represent infinity and NaN.
            appendQuoted(number.description, to: &bytes)
        default:
            appendPlain(value, to: &bytes)
        }
    }

    private static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        LineEscape.append(text, bytesMax: textBytesMax, escapingQuotes: true, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a value without quotes and escapes, in either format.
    private static func appendPlain(_ value: LogValue, to bytes: inout [UInt8]) {
        switch value {
        case .string(let text): bytes.append(contentsOf: text.utf8)
        case .integer(let number): bytes.append(contentsOf: number.description.utf8)
        case .double(let number): bytes.append(contentsOf: number.description.utf8)
        case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .milliseconds(let duration): appendMilliseconds(duration, to: &bytes)
        }
    }

    private static func appendMilliseconds(_ duration: Duration, to bytes: inout [UInt8]) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Int128(seconds) * 1_000_000 + Int128(attoseconds / 1_000_000_000_000)
        if microseconds < 0 { bytes.append(UInt8(ascii: "-")) }
        let (whole, fraction) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1_000)
        bytes.append(contentsOf: whole.description.utf8)
        bytes.append(UInt8(ascii: "."))
        bytes.append(contentsOf: (fraction + 1_000).description.utf8.dropFirst())
    }
}

// MARK: - Console

extension LogFormat {
    private static func appendConsole(_ record: LogRecord, coloured: Bool, to bytes: inout [UInt8]) {
        var timestamp: [UInt8] = []
        record.instant.append(to: &timestamp)
        let (colour, plain) = coloured ? (record.level.colour, "\u{1b}[0m") : ("", "")
        bytes.append(contentsOf: timestamp[11..<23])
        bytes.append(contentsOf: "Z \(colour)".utf8)
        bytes.append(contentsOf: record.level.rawValue.utf8)
        bytes.append(contentsOf: plain.utf8)
        for _ in record.level.rawValue.utf8.count..<8 { bytes.append(UInt8(ascii: " ")) }
        LineEscape.append(record.component, bytesMax: textBytesMax, escapingQuotes: false, to: &bytes)
        bytes.append(contentsOf: ": ".utf8)
        LineEscape.append(record.message, bytesMax: textBytesMax, escapingQuotes: false, to: &bytes)
        for field in record.fields.list {
            bytes.append(UInt8(ascii: " "))
            LineEscape.append(field.name, bytesMax: textBytesMax, escapingQuotes: false, to: &bytes)
            bytes.append(UInt8(ascii: "="))
            appendConsole(field.value, to: &bytes)
        }
    }

    private static func appendConsole(_ value: LogValue, to bytes: inout [UInt8]) {
        guard case .string(let text) = value else { return appendPlain(value, to: &bytes) }
        if text.utf8.isEmpty || text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3d || $0 == 0x5c }) {
            appendQuoted(text, to: &bytes)
        } else {
            LineEscape.append(text, bytesMax: textBytesMax, escapingQuotes: false, to: &bytes)
        }
    }
}

extension LogLevel {
    fileprivate var colour: String {
        switch self {
        case .trace, .debug: "\u{1b}[2m"
        case .info: "\u{1b}[32m"
        case .warning: "\u{1b}[33m"
        case .error: "\u{1b}[31m"
        }
    }
}
