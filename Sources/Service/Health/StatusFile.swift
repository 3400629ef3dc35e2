public import Configuration
internal import EventLoop
internal import Values

/// What a process is doing, as its probes see it.
public enum ProcessState: Hashable, Sendable {
    /// It cannot do its work, for this reason: PostgreSQL cannot be reached, the schema is missing. Next: `working`,
    /// `stopping`.
    case waiting(String)
    /// Next: `waiting`, `stopping`.
    case working
    /// The drain has begun. Nothing follows.
    case stopping
}

/// How a process without a port answers the probes of its container: a file of one line that the event loop writes
/// every two seconds. A hanging loop writes nothing, so the age of the line shows whether the process is alive, and its
/// words show whether it works. An outage of PostgreSQL makes no line old, so it causes no restart.
///
/// The instant in the line is from the monotonic clock, which all processes of a machine share and nobody can set.
public struct StatusFile: Sendable {
    static let interval = Duration.seconds(2)
    /// An older line belongs to a loop that hangs. Five times the longest pause that load explains.
    static let ageMax = Duration.seconds(30)
    /// Of a reason: PostgreSQL's messages may be long.
    private static let reasonCharactersMax = 500

    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// nil when the variable is not set.
    public init?(reading settings: inout SettingsReader, _ variable: String) {
        let path = settings.optionalString(
            variable, help: "A file to which the process writes its status every 2 s; `health` reads it for probes.",
            accepts: "the path of a file in a directory that can be written")
        guard let path else { return nil }
        self.init(path: path)
    }

    func write(_ state: ProcessState, at now: MonotonicInstant) throws(SmallFileError) {
        let words =
            switch state {
            case .waiting(let reason): "waiting \(Self.line(reason))"
            case .working: "working"
            case .stopping: "stopping"
            }
        try SmallFile.replace(path, with: Array("\(now.nanoseconds) \(words)\n".utf8))
    }

    private static func line(_ reason: String) -> String {
        String(reason.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(reasonCharactersMax))
    }

    /// Why a probe fails; nil when it succeeds.
    /// - Parameter needsReadiness: whether the process has to do its work, and not only to be alive.
    func fault(needsReadiness: Bool, at now: MonotonicInstant) -> String? {
        let line: String
        do throws(SmallFileError) {
            line = try SmallFile.value(of: path)
        } catch {
            return "the process has written no status: \(error)"
        }
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let nanoseconds = Int64(words[0]) else { return "\(path) holds no status" }
        let age = now - MonotonicInstant(nanoseconds: nanoseconds)
        // A line from before the last boot may seem to come from the future.
        guard age >= .zero, age <= Self.ageMax else {
            return "the process has written no status for \(Int(age.inSeconds)) s: it hangs or has ended"
        }
        guard needsReadiness, words[1] != "working" else { return nil }
        return "the process is \(words[1])" + (words.count > 2 ? ": \(words[2])" : "")
    }
}
