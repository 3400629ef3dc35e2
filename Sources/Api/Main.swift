internal import Configuration
internal import EventLoop
internal import Glibc
internal import Telemetry
internal import Workers

@main
struct Main {
    static func main() {
        // Before any thread starts: the loop that watches them must be the only one to get them.
        Signals.block([Signals.terminate, Signals.interrupt])
        ResourceLimits.forbidCoreFiles()
        do throws(SmallFileError) {
            run(environment: try ProcessEnvironment.current())
        } catch {
            end(1, "jobqueue-api: cannot read the environment: \(error)\n")
        }
    }

    /// What the process has to know for what it is there for.
    private enum Settings {
        case api(ApiSettings)
        case health(ProbeCommand)
    }

    private static func run(environment: ProcessEnvironment) -> Never {
        let start = Startup.decide(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: environment,
            grammar: ApiCommandLine.grammar, version: ProductVersion.text, prefixes: ApiCommandLine.prefixes,
            read: { settings, command in
                if let command, command.name == HealthCommand.name {
                    return Settings.health(ProbeCommand(reading: &settings, environment, command))
                }
                return .api(ApiSettings(reading: &settings, command: command))
            })
        switch start {
        case .exit(let status, let text):
            end(status, text)
        case .run(.health(let probe), _, _):
            exit(probe.run())
        case .run(.api(let settings), nil, let warnings):
            serve(settings, warnings)
        case .run(.api(let settings), let command?, let warnings):
            for warning in warnings { StandardStream.error.write("jobqueue-api: warning: \(warning)\n") }
            run(settings, command)
        }
    }

    private static func serve(_ settings: ApiSettings, _ warnings: [String]) -> Never {
        do {
            let log = try QueuedLog(format: settings.log.format)
            let logger = Logger(component: "api", level: settings.log.level, sink: log)
            for warning in warnings { logger.warning(warning) }
            let status = ApiService.run(settings, logger)
            log.flush(within: .seconds(1))
            exit(status)
        } catch {
            end(1, "jobqueue-api: \(error)\n")
        }
    }

    private static func run(_ settings: ApiSettings, _ command: CommandLineArguments.Command) -> Never {
        do throws(UsageError) {
            switch command.name {
            case "audit": exit(AuditCommand(settings: settings).run())
            case "control": exit(try ControlCommand(settings, command).run())
            default: exit(try MigrateCommand(settings, command).run())
            }
        } catch {
            end(UsageError.exitStatus, "jobqueue-api: \(error)\n")
        }
    }

    private static func end(_ status: Int32, _ text: String) -> Never {
        (status == 0 ? StandardStream.output : .error).write(text)
        exit(status)
    }
}
