public import Configuration
public import EventLoop
internal import Glibc
internal import Synchronization
internal import Telemetry

/// A program: what distinguishes it from the others. The main function of all of them is `Program.main`.
public protocol Program {
    associatedtype Settings: Sendable

    static var grammar: CommandGrammar { get }
    /// Prefixes of environment variables that belong to this program: an unknown one is logged as a warning.
    static var prefixes: [String] { get }
    /// The component in log lines: `worker`.
    static var component: String { get }
    /// Whether it starts child processes, which must not outlive it (`ProcessGuard`).
    static var startsChildren: Bool { get }
    /// Whether it takes SIGHUP (`ProcessContext.onHangUp`).
    static var takesHangUp: Bool { get }

    /// The commands that wait for files of settings that do not exist yet, as serving does. Others are for people.
    static var awaitingCommands: Set<String> { get }

    /// Declares and reads the settings.
    /// - Parameter command: nil to serve. A command may need less than serving does.
    static func settings(
        reading reader: inout SettingsReader, for command: CommandLineArguments.Command?, _ start: ProcessStart
    ) -> Settings

    /// The command `health`, which reads as few settings as possible.
    static func health(
        reading reader: inout SettingsReader, _ command: CommandLineArguments.Command, _ start: ProcessStart
    ) -> ProcessPlan

    /// What the process does.
    /// - Parameter command: nil to serve.
    /// - Throws: what is wrong with the command line.
    static func plan(_ settings: Settings, _ command: CommandLineArguments.Command?) throws(UsageError) -> ProcessPlan
}

/// What exists when settings are read.
public struct ProcessStart: Sendable {
    public let environment: ProcessEnvironment
    /// The loop of the main thread; it does not run yet.
    public let loop: Loop
}

extension Program {
    public static var startsChildren: Bool { false }
    public static var takesHangUp: Bool { false }
    public static var awaitingCommands: Set<String> { [] }

    public static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let status = MainFunction<Self>.run(arguments: arguments)
        // The status of a probe is its result, whether anybody reads its words or not.
        let hasFailed = StandardStream.hasLostOutput && arguments.first != HealthCommand.name
        exit(status == ExitStatus.success && hasFailed ? ExitStatus.failure : status)
    }
}

/// The main function of a program, in order: what must precede the first thread, settings and command line, the log,
/// the services, and the exit status.
private enum MainFunction<Main: Program> {
    /// Returns the exit status.
    static func run(arguments: [String]) -> Int32 {
        do {
            // Once inspection is forbidden, the process cannot read it from /proc any more.
            let environment = try ProcessEnvironment.current()
            try prepareProcess(arguments)
            let start = ProcessStart(environment: environment, loop: try Loop(label: Main.component))
            return run(arguments, start)
        } catch {
            return fail("\(error)", ExitStatus.failure)
        }
    }

    /// No thread may run yet: the guard forks, and later threads inherit the blocked signals.
    private static func prepareProcess(_ arguments: [String]) throws(SystemError) {
        // A probe starts no children. The guard has the environment too.
        if Main.startsChildren, arguments.first != HealthCommand.name {
            try ResourceLimits.forbidInspection()
            try ProcessGuard.start()
        }
        ResourceLimits.raiseDescriptors()
        ResourceLimits.forbidCoreFiles()
        Signals.block(signals)
    }

    private static var signals: [Int32] {
        [Signals.terminate, Signals.interrupt] + (Main.takesHangUp ? [Signals.hangUp] : [])
    }

    /// What the settings were read for.
    private enum Purpose: Sendable {
        case main(Main.Settings)
        case health(ProcessPlan)
    }

    private static func run(_ arguments: [String], _ start: ProcessStart) -> Int32 {
        var wait = FileWait(
            start.environment, component: Main.component, endedBy: [Signals.terminate, Signals.interrupt])
        while true {
            switch decide(arguments, start) {
            case .wait(let files):
                do throws(QueuedLogError) {
                    // Serving ends in order; a command that has not begun has failed.
                    if try wait.oneSecond(for: files) {
                        return arguments.isEmpty ? ExitStatus.success : ExitStatus.failure
                    }
                } catch {
                    return fail("\(error)", ExitStatus.failure)
                }
            case .exit(let status, let text):
                (status == ExitStatus.success ? StandardStream.output : .error).write(text)
                return status
            case .run(let purpose, let command, let warnings):
                return run(purpose, command, warnings: warnings, start)
            }
        }
    }

    private static func decide(_ arguments: [String], _ start: ProcessStart) -> Startup<Purpose> {
        let awaiting = Main.awaitingCommands
        func awaitsFiles(_ command: CommandLineArguments.Command?) -> Bool {
            command.map { awaiting.contains($0.name) } ?? true
        }
        return Startup.decide(
            arguments: arguments, environment: start.environment, grammar: Main.grammar,
            version: ProductVersion.text, prefixes: Main.prefixes,
            awaitsFiles: awaitsFiles
        ) { reader, command in
            if let command, command.name == HealthCommand.name {
                return Purpose.health(Main.health(reading: &reader, command, start))
            }
            return .main(Main.settings(reading: &reader, for: command, start))
        }
    }

    private static func run(
        _ purpose: Purpose, _ command: CommandLineArguments.Command?, warnings: [String], _ start: ProcessStart
    ) -> Int32 {
        switch purpose {
        case .health(let plan):
            return run(plan, warnings: [], start)
        case .main(let settings):
            do throws(UsageError) {
                return run(try Main.plan(settings, command), warnings: warnings, start)
            } catch {
                return fail("\(error)\n\(Main.grammar.usage)", UsageError.exitStatus)
            }
        }
    }

    private static func run(_ plan: ProcessPlan, warnings: [String], _ start: ProcessStart) -> Int32 {
        switch plan.output {
        case .people(let name):
            let log = StandardErrorLog(name: "\(Main.grammar.program) \(name)")
            return run(plan, warnings, start, Logger(component: Main.component, level: .warning, sink: log))
        case .log(let settings):
            do throws(QueuedLogError) {
                let log = try QueuedLog(format: settings.format)
                defer { log.flush(within: .seconds(2)) }
                let logger = Logger(component: Main.component, level: settings.level, sink: log)
                return run(plan, warnings, start, logger)
            } catch {
                return fail("\(error)", ExitStatus.failure)
            }
        }
    }

    private static func run(
        _ plan: ProcessPlan, _ warnings: [String], _ start: ProcessStart, _ logger: Logger
    ) -> Int32 {
        for warning in warnings { logger.warning(warning) }
        let loop = start.loop
        let process = ProcessContext(on: loop, logger: logger)
        let status = Mutex(ExitStatus.failure)
        do {
            let group = ServiceGroup(
                try plan.services(process), plan.limits, interruptedStatus: plan.interruptedStatus,
                announcement: plan.announcement, in: process)
            try Signals.handle(signals, on: loop) { signal in
                if signal == Signals.hangUp { process.hangUp() } else { group.signalled() }
            }
            loop.spawn {
                let result = await group.run()
                status.withLock { $0 = result }
                loop.stop()
            }
            loop.run()
        } catch {
            logger.error("cannot start", ["error": .error(error)])
        }
        return status.withLock { $0 }
    }

    private static func fail(_ text: String, _ status: Int32) -> Int32 {
        StandardStream.error.write("\(Main.grammar.program): \(text)\(text.hasSuffix("\n") ? "" : "\n")")
        return status
    }
}
