internal import Configuration
internal import EventLoop
internal import Glibc
internal import Postgres
internal import Telemetry
internal import Workers

/// `jobqueue-worker`: leases jobs, runs them, and writes down how they ended.
@main struct Main {
    /// What the process has to know for what it is there for.
    private enum Settings {
        case worker(WorkerSettings)
        case health(HealthCommand)
    }

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        // A probe starts no process, and needs no guard of them.
        if arguments.first != HealthCommand.name { guardProcesses() }
        ResourceLimits.raiseDescriptors()
        ResourceLimits.forbidCoreFiles()
        Signals.block([Signals.terminate, Signals.interrupt, Signals.hangUp])
        do {
            exit(try start(arguments, try ProcessEnvironment.current()))
        } catch {
            StandardStream.error.write("jobqueue-worker: \(error)\n")
            exit(EXIT_FAILURE)
        }
    }

    /// Before anything else: no thread may run yet.
    private static func guardProcesses() {
        do throws(SystemError) {
            try ProcessGuard.start()
        } catch {
            StandardStream.error.write("jobqueue-worker: \(error)\n")
            exit(EXIT_FAILURE)
        }
    }

    private static let grammar = CommandGrammar(
        program: "jobqueue-worker", summary: "Runs the jobs of jobqueue.",
        commands: [HealthCommand.grammar(source: "by the file that WORKER_STATUS_FILE names")])

    /// The exit status.
    private static func start(_ arguments: [String], _ environment: ProcessEnvironment) throws -> Int32 {
        let loop = try Loop(label: "worker")
        let start = Startup.decide(
            arguments: arguments, environment: environment, grammar: grammar, version: ProductVersion.text,
            prefixes: ["WORKER_", "POOL_", "JOBQUEUE_"]
        ) { reader, command in
            if let command, command.name == HealthCommand.name {
                return Settings.health(HealthCommand(reading: &reader, "WORKER_STATUS_FILE", command))
            }
            return .worker(WorkerSettings(reading: &reader, environment: environment, on: loop))
        }
        switch start {
        case .exit(let status, let text):
            (status == 0 ? StandardStream.output : .error).write(text)
            return status
        case .run(.health(let probe), _, _):
            return probe.run()
        case .run(.worker(let settings), _, let warnings):
            return try serve(settings, warnings, on: loop)
        }
    }

    private static func serve(_ settings: WorkerSettings, _ warnings: [String], on loop: Loop) throws -> Int32 {
        let format = settings.logFormat == .json ? LogFormat.json : .console(for: STDOUT_FILENO)
        let log = try QueuedLog(format: format)
        let logger = Logger(component: "worker", level: settings.logLevel, sink: log)
        for warning in warnings { logger.warning(warning) }

        let worker = try WorkerProcess(settings, on: loop, logger: logger)
        loop.spawn {
            do throws(SystemError) {
                try Signals.handle([Signals.terminate, Signals.interrupt, Signals.hangUp], on: loop) { signal in
                    if signal == Signals.hangUp { worker.reloadHandlers() } else { worker.stop() }
                }
            } catch {
                logger.error("signals cannot be watched", ["error": .error(error)])
            }
            await worker.run()
            loop.stop()
        }
        loop.run()
        _ = log.flush(within: .seconds(2))
        return EXIT_SUCCESS
    }
}
