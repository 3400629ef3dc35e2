public import Configuration
public import EventLoop
public import Values

/// How far a process is that has no port.
public enum ServiceState: Hashable, Sendable {
    /// It cannot do its work, for this reason: PostgreSQL is away, the schema is missing. Next: `working`, `stopping`.
    case waiting(String)
    /// Next: `waiting`, `stopping`.
    case working
    /// It was asked to. Nothing follows.
    case stopping
}

/// What a process without a port tells the probes of its container: a file of one line that its event loop writes anew
/// every two seconds. A loop that hangs writes nothing, so the age of the line says whether the process is alive, and its
/// words whether it works. PostgreSQL away makes no line old: nobody is restarted for it.
///
/// The instant in it is the monotonic clock's, which all processes of a machine share, and which nobody can set.
public struct StatusFile: Sendable {
    static let interval = Duration.seconds(2)
    /// A line that is older tells of a loop that hangs: five times as long as any pause that a loaded machine explains.
    static let ageMax = Duration.seconds(30)
    /// Of a reason: PostgreSQL's words may be long.
    private static let reasonCharactersMax = 500

    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Writes the line again and again, until the task is cancelled. Call it on the loop.
    /// - Parameter failed: told when a line could not be written, once until one could.
    public func keep(
        on loop: Loop, state: @Sendable () -> ServiceState, failed: @Sendable (SmallFileError) -> Void
    ) async {
        var hasFailed = false
        repeat {
            do throws(SmallFileError) {
                try write(state(), at: .now())
                hasFailed = false
            } catch {
                if !hasFailed { failed(error) }
                hasFailed = true
            }
        } while (try? await loop.sleep(for: Self.interval)) != nil
    }

    func write(_ state: ServiceState, at now: MonotonicInstant) throws(SmallFileError) {
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

    /// What a probe finds: nil when all is well, else what is not.
    /// - Parameter needsReadiness: whether it also has to work, and not only to be alive.
    public func fault(needsReadiness: Bool, at now: MonotonicInstant) -> String? {
        let line: String
        do throws(SmallFileError) {
            line = try SmallFile.value(of: path)
        } catch {
            return "the process has written no status: \(error)"
        }
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let nanoseconds = Int64(words[0]) else { return "\(path) holds no status" }
        let age = now - MonotonicInstant(nanoseconds: nanoseconds)
        // One from before the machine was booted may seem to come from the future.
        guard age >= .zero, age <= Self.ageMax else {
            return "the process has written no status for \(Int(age.inSeconds)) s: it hangs, or is gone"
        }
        guard needsReadiness, words[1] != "working" else { return nil }
        return "the process is \(words[1])" + (words.count > 2 ? ": \(words[2])" : "")
    }
}
