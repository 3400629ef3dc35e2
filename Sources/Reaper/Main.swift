internal import Configuration
internal import EventLoop
internal import Glibc
internal import Postgres
internal import Telemetry
internal import Workers

/// `jobqueue-reaper`: takes back what dead workers held, makes delayed jobs ready, and keeps the tables in order.
@main struct Main {
    static func main() {
        ResourceLimits.forbidCoreFiles()
        Signals.block([Signals.terminate, Signals.interrupt])
        do {
            exit(try start(.current()))
        } catch {
            StandardStream.error.write("jobqueue-reaper: \(error)\n")
            exit(EXIT_FAILURE)
        }
    }

    private static let grammar = CommandGrammar(
        program: "jobqueue-reaper",
        summary: "takes back what dead workers held, makes delayed jobs ready, and removes old ones.",
        commands: [
            CommandGrammar.Command(
                "once", summary: "Run every task once, and exit: 0 when all went well, 1 when one failed."),
            WatchdogCommand.grammar,
            HealthCommand.grammar(source: "by the file that REAPER_STATUS_FILE names"),
        ])

    /// What the process is there for.
    private enum Mode {
        case serve, once
        case watchdog(WatchdogCommand)
    }

    /// What it has to know for that.
    private enum Settings {
        case reaper(ReaperSettings)
        case health(HealthCommand)
    }

    /// The exit status.
    private static func start(_ environment: ProcessEnvironment) throws -> Int32 {
        let decision = Startup.decide(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: environment, grammar: grammar,
            version: ProductVersion.text, prefixes: ReaperSettings.prefixes
        ) { reader, command in
            if let command, command.name == HealthCommand.name {
                return Settings.health(HealthCommand(reading: &reader, "REAPER_STATUS_FILE", command))
            }
            return .reaper(ReaperSettings(reading: &reader))
        }
        switch decision {
        case .exit(let status, let text):
            (status == 0 ? StandardStream.output : .error).write(text)
            return status
        case .run(.health(let probe), _, _):
            return probe.run()
        case .run(.reaper(let settings), let command, let warnings):
            let mode: Mode
            do throws(UsageError) {
                mode = try Self.mode(command, settings)
            } catch {
                StandardStream.error.write("\(grammar.program): \(error.description)\n\(grammar.usage)")
                return UsageError.exitStatus
            }
            return try run(settings, mode, warnings)
        }
    }

    private static func mode(
        _ command: CommandLineArguments.Command?, _ settings: ReaperSettings
    ) throws(UsageError) -> Mode {
        guard let command else { return .serve }
        return command.name == "once" ? .once : .watchdog(try WatchdogCommand(command, settings))
    }

    private static func run(_ settings: ReaperSettings, _ mode: Mode, _ warnings: [String]) throws -> Int32 {
        let format = settings.logStyle == .json ? LogFormat.json : .console(for: STDOUT_FILENO)
        let log = try QueuedLog(format: format)
        let logger = Logger(component: "reaper", level: settings.logLevel, sink: log)
        for warning in warnings { logger.warning(warning) }

        let loop = try Loop(label: "reaper")
        let reaper = try ReaperProcess(settings, on: loop, logger: logger)
        try Signals.handle([Signals.terminate, Signals.interrupt], on: loop) { _ in reaper.stop() }
        loop.spawn {
            switch mode {
            case .serve: await reaper.run()
            case .once: await reaper.runOnce()
            case .watchdog(let command): await reaper.run(command)
            }
            loop.stop()
        }
        loop.run()
        log.flush(within: .seconds(2))
        return reaper.hasFailed ? EXIT_FAILURE : EXIT_SUCCESS
    }
}
