public import Configuration
internal import Values

/// The command `health` of a program without a port: it reads the status file, for probes of containers that have
/// neither a shell nor `cat`. It reads no other variable, so a mistake in a setting that the running process has not
/// read fails no probe.
public struct HealthCommand: Sendable {
    private let file: StatusFile?
    private let variable: String
    private let needsReadiness: Bool

    public static let name = "health"
    private static let readinessOption = "--ready"

    /// - Parameter source: where the status comes from, for the help.
    public static func grammar(source: String) -> CommandGrammar.Command {
        CommandGrammar.Command(
            name, summary: "Show whether the process is alive (\(source)); exit 0 when it is, 1 when not.",
            options: [.init(readinessOption, summary: "Show whether it also does its work.")])
    }

    /// Whether the command asks for readiness, and not only for liveness.
    public static func needsReadiness(_ command: CommandLineArguments.Command) -> Bool {
        command.has(readinessOption)
    }

    /// - Parameter variable: names the file: `WORKER_STATUS_FILE`.
    public init(
        reading settings: inout SettingsReader, _ variable: String, _ command: CommandLineArguments.Command
    ) {
        file = StatusFile(reading: &settings, variable)
        self.variable = variable
        needsReadiness = Self.needsReadiness(command)
    }

    public var plan: ProcessPlan {
        .command(Self.name) { _ in run() }
    }

    /// Prints the result on standard output, and returns the exit status.
    private func run() -> Int32 {
        guard let file else {
            StandardStream.output.write("\(variable) is not set: the process writes no status\n")
            return ExitStatus.failure
        }
        let fault = file.fault(needsReadiness: needsReadiness, at: .now())
        StandardStream.output.write("\(fault ?? (needsReadiness ? "ready" : "alive"))\n")
        return fault == nil ? ExitStatus.success : ExitStatus.failure
    }
}
