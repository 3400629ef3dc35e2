internal import EventLoop
internal import Telemetry

/// What a process does: its services, where it logs, and the limits of its drain.
public struct ProcessPlan: Sendable {
    enum Output: Sendable {
        /// Log lines on standard output.
        case log(LogSettings)
        /// Warnings and errors on standard error, after the program's name and this one.
        case people(name: String)
    }

    let output: Output
    let limits: DrainLimits
    let announcement: String?
    /// The exit status after a signal.
    let interruptedStatus: Int32
    let services: @Sendable (ProcessContext) throws -> [any ProcessService]

    /// Serves until a signal, then drains, and exits with 0.
    /// - Parameters:
    ///   - announcement: the log line when all services have started.
    ///   - services: in the order of their start. What it throws ends the process with exit status 1.
    public static func serve(
        _ log: LogSettings, announcement: String, drain limits: DrainLimits,
        services: @escaping @Sendable (ProcessContext) throws -> [any ProcessService]
    ) -> ProcessPlan {
        ProcessPlan(
            output: .log(log), limits: limits, announcement: announcement, interruptedStatus: ExitStatus.success,
            services: services)
    }

    /// Runs the services until one of them, a `OneShot`, has its result. A signal ends it with exit status 1.
    public static func once(
        _ log: LogSettings, drain limits: DrainLimits,
        services: @escaping @Sendable (ProcessContext) throws -> [any ProcessService]
    ) -> ProcessPlan {
        ProcessPlan(
            output: .log(log), limits: limits, announcement: nil, interruptedStatus: ExitStatus.failure,
            services: services)
    }

    /// A command for people: results on standard output, errors on standard error after the names of program and
    /// command. A signal ends it at once with exit status 1; what is under way in PostgreSQL is rolled back.
    /// - Parameter body: returns the exit status. What it throws is printed, and the exit status is 1.
    public static func command(
        _ name: String, _ body: @escaping @Sendable (ProcessContext) async throws -> Int32
    ) -> ProcessPlan {
        ProcessPlan(
            output: .people(name: name), limits: DrainLimits(grace: .zero), announcement: nil,
            interruptedStatus: ExitStatus.failure
        ) { process in
            [OneShot(name, in: process) { try await body(process) }]
        }
    }
}
