internal import Configuration
internal import Telemetry
internal import Values

/// The log of a command, for people: lines on standard error that begin with the names of program and command. Warnings
/// and errors only; results go to standard output.
struct StandardErrorLog: LogSink {
    /// `jobqueue-api migrate`
    let name: String

    func accept(_ record: LogRecord) {
        if record.level >= .warning { StandardStream.error.write(line(record)) }
    }

    func line(_ record: LogRecord) -> String {
        let prefix = record.level == .warning ? "warning: " : ""
        let fields = record.fields.list.map { " (\($0.name): \($0.value.text))" }.joined()
        return "\(name): \(prefix)\(record.message)\(fields)\n"
    }
}

extension LogValue {
    fileprivate var text: String {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .double(let number): "\(number)"
        case .boolean(let flag): "\(flag)"
        case .milliseconds(let duration): "\(duration.inSeconds) s"
        }
    }
}
