public import Configuration
internal import Values

/// `health`, of the programs without a port: what their status file says, for the probes of a container that has neither
/// a shell nor `cat`. It reads nothing but the one variable, so that a mistake elsewhere in the configuration, which a
/// running process has not read, kills none.
public struct HealthCommand: Sendable {
    private let file: StatusFile?
    private let variable: String
    private let needsReadiness: Bool

    public static let name = "health"
    private static let readinessOption = "--ready"

    /// - Parameter source: where the process says how it is, for the help.
    public static func grammar(source: String) -> CommandGrammar.Command {
        CommandGrammar.Command(
            name, summary: "Say whether the process is alive (\(source)), and exit: 0 when it is, 1 when not.",
            options: [.init(readinessOption, summary: "Say whether it also does its work.")])
    }

    /// Whether the command asks for readiness, and not only for life.
    public static func needsReadiness(_ command: CommandLineArguments.Command) -> Bool {
        command.has(readinessOption)
    }

    /// - Parameter variable: that names the file: `WORKER_STATUS_FILE`.
    public init(
        reading settings: inout SettingsReader, _ variable: String, _ command: CommandLineArguments.Command
    ) {
        file = StatusFile(reading: &settings, variable)
        self.variable = variable
        needsReadiness = Self.needsReadiness(command)
    }

    /// The exit status, after it was told on standard output.
    public func run() -> Int32 {
        guard let file else {
            StandardStream.output.write("\(variable) is not set: the process writes no status\n")
            return 1
        }
        let fault = file.fault(needsReadiness: needsReadiness, at: .now())
        StandardStream.output.write("\(fault ?? (needsReadiness ? "ready" : "alive"))\n")
        return fault == nil ? 0 : 1
    }
}

extension StatusFile {
    /// nil when the variable is not set.
    public init?(reading settings: inout SettingsReader, _ variable: String) {
        let path = settings.optionalString(
            variable, help: "A file that this process writes every 2 s to say how it is; `health` reads it for probes.",
            accepts: "the path of a file in a directory that can be written")
        guard let path else { return nil }
        self.init(path: path)
    }
}
