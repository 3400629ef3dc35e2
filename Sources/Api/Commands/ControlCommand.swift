internal import Configuration
internal import EventLoop
internal import JSON
internal import Jobs
internal import Pauses
internal import Service
internal import Telemetry
internal import Values
internal import Workers

/// `jobqueue-api control`: pauses, resumes, or shows the pause state, with the database only: as a Kubernetes Job that
/// has database credentials and no API key, or by hand while no api runs. Changes, history and documents are the same
/// as over HTTP.
struct ControlCommand: Sendable {
    private enum Action: Sendable {
        case state
        /// With minutes, the pause ends by itself after that time.
        case change(PauseChange, minutes: Int?)
    }

    private static let minutesRange = 1...366 * 24 * 60

    static let grammar = CommandGrammar.Command(
        "control",
        summary: "Pause or resume leases, or show the pause state (state), and exit: 0 when it is done, 2 when\n"
            + "      some workers have not acknowledged in time or the version is not the expected one, 1 on an error.",
        actions: ["state", "pause", "resume"],
        options: [
            .init("--scope", value: "all|queue:NAME|type:NAME", summary: "Scope to pause or resume; default all."),
            .init("--reason", value: "TEXT", summary: "Reason; required to pause and to resume."),
            .init("--updated-by", value: "TEXT", summary: "Name of the actor; required to pause and to resume."),
            .init(
                "--wait-seconds", value: "N",
                summary: "Time to wait for the acknowledgements of the workers, "
                    + "\(PauseChange.waitSecondsRange.lowerBound) to \(PauseChange.waitSecondsRange.upperBound); "
                    + "default 0."),
            .init("--expected-version", value: "N", summary: "Change the scope only if it has this version."),
            .init("--for-minutes", value: "N", summary: "Duration of the pause, 1 to \(minutesRange.upperBound)."),
            .init("--cancel-running", summary: "Also cancel the running jobs of the scope."),
        ])

    private let settings: ApiSettings
    private let action: Action

    /// Throws all errors of the options.
    init(_ settings: ApiSettings, _ command: CommandLineArguments.Command) throws(UsageError) {
        self.settings = settings
        if command.action == "state" {
            guard command.options.isEmpty else { throw UsageError("control state takes no options") }
            action = .state
            return
        }
        var change = PauseChange(reading: command.action == "pause" ? .pause : .resume)
        var options = OptionReader(command)
        options.read(PauseChange.fields(of: change.action)) { options, field in change.read(field, from: &options) }
        let minutes = options.integer("--for-minutes", in: Self.minutesRange)
        if minutes != nil, change.action == .resume { options.add(PauseChange.pauseOnly) }
        try options.finish()
        action = .change(change, minutes: minutes)
    }

    var plan: ProcessPlan {
        .command("control") { process in
            let dependencies = LoopDatabase.Dependencies(
                settings.sessions, metrics: MetricRegistry(logger: process.logger), logger: process.logger)
            let database = LoopDatabase(
                dependencies, connections: DatabaseSessions.connectionsMin, on: process.loop)
            let status = try await perform(on: database)
            await database.sessions.close()
            return status
        }
    }

    private func perform(on database: LoopDatabase) async throws -> Int32 {
        guard case .change(var change, let minutes) = action else {
            show(PauseDocument.states(try await database.control.states(), try await database.workers.alive()))
            return 0
        }
        if let minutes { change.resumeAt = try await database.control.now() + .seconds(60 * minutes) }
        let operation = database.pauseOperation(AcknowledgementWaiter(settings.sessions, on: database))
        switch try await operation.run(change) {
        case .outdated(let state):
            show(JSONWriter.text { state.write(to: &$0) })
            return 2
        case .overdue:
            StandardStream.error.write("the pause would have ended already; nothing was changed\n")
            return 2
        case .done(let report):
            show(JSONWriter.text { report.write(to: &$0) })
            return report.isComplete ? 0 : 2
        }
    }

    private func show(_ document: [UInt8]) {
        StandardStream.output.write(String(decoding: document, as: UTF8.self) + "\n")
    }
}
