internal import Configuration
internal import EventLoop
internal import Glibc
internal import Postgres
internal import Telemetry

/// `jobqueue-worker`: leases jobs, runs them, and writes down how they ended.
@main struct Main {
    static func main() {
        // First: no thread may run yet.
        do throws(SystemError) {
            try ProcessGuard.start()
        } catch {
            StandardStream.error.write("jobqueue-worker: \(error)\n")
            exit(EXIT_FAILURE)
        }
        ResourceLimits.raiseDescriptors()
        ResourceLimits.forbidCoreFiles()
        Signals.block([Signals.terminate, Signals.interrupt, Signals.hangUp])
        do {
            let environment = try ProcessEnvironment.current()
            exit(try start(environment))
        } catch {
            StandardStream.error.write("jobqueue-worker: \(error)\n")
            exit(EXIT_FAILURE)
        }
    }

    /// The exit status.
    private static func start(_ environment: ProcessEnvironment) throws -> Int32 {
        let loop = try Loop(label: "worker")
        let start = Startup.decide(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: environment,
            grammar: CommandGrammar(program: "jobqueue-worker", summary: "Runs the jobs of jobqueue."),
            version: ProductVersion.text, prefixes: ["WORKER_", "POOL_", "JOBQUEUE_"]
        ) { reader, _ in
            WorkerSettings(reading: &reader, environment: environment, on: loop)
        }
        switch start {
        case .exit(let status, let text):
            (status == 0 ? StandardStream.output : .error).write(text)
            return status
        case .run(let settings, _, let warnings):
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
