internal import Configuration
internal import EventLoop
internal import JSON
internal import Jobs
internal import Pauses
internal import Service
internal import Telemetry
internal import Values
internal import Workers

/// `jobqueue-api control`: pauses, resumes, and tells what is paused, without an api: by PostgreSQL alone, as a Kubernetes
/// Job that has the database's credentials and no key, or by hand while no api runs. The same order, the same history and
/// the same document as over HTTP.
struct ControlCommand: Sendable {
    private enum Action: Sendable {
        case state
        case order(PauseInput, isPause: Bool, minutes: Int?)
    }

    private static let minutesMax = 366 * 24 * 60

    static let grammar = CommandGrammar.Command(
        "control",
        summary: "Pause or resume what workers take, or show what is paused (state), and exit: 0 when it is done, 2\n"
            + "      when some workers have not obeyed in time or the version is another than the one expected, 1 on an\n"
            + "      error.",
        actions: ["state", "pause", "resume"],
        options: [
            .init("--scope", value: "all|queue:NAME|type:NAME", summary: "What to pause or resume; all by default."),
            .init("--reason", value: "TEXT", summary: "Why; required to pause and to resume."),
            .init("--updated-by", value: "TEXT", summary: "Who says so; required to pause and to resume."),
            .init(
                "--wait-seconds", value: "N",
                summary: "Wait so long for the workers to obey, 0 to \(PauseInput.waitSecondsMax); 0 by default."),
            .init("--expected-version", value: "N", summary: "Only if the scope still has this version."),
            .init("--for-minutes", value: "N", summary: "The pause ends by itself after so long."),
            .init("--cancel-running", summary: "Also ask what runs in the scope to stop."),
        ])

    private let settings: ApiSettings
    private let action: Action

    /// Throws what is wrong with the command line.
    init(_ settings: ApiSettings, _ command: CommandLineArguments.Command) throws(UsageError) {
        self.settings = settings
        if command.action == "state" {
            guard command.options.isEmpty else { throw UsageError("control state takes no options") }
            action = .state
            return
        }
        let isPause = command.action == "pause"
        let minutes = try command.integer("--for-minutes", in: 1...Self.minutesMax)
        guard isPause || minutes == nil else { throw UsageError("--for-minutes is for pause only") }
        action = .order(try Self.input(command, isPause: isPause), isPause: isPause, minutes: minutes)
    }

    /// The options as the body of a request, so that both are held to the same rules.
    private static func input(
        _ command: CommandLineArguments.Command, isPause: Bool
    ) throws(UsageError) -> PauseInput {
        var writer = JSONWriter()
        writer.beginObject()
        for (option, name) in [("--scope", "scope"), ("--reason", "reason"), ("--updated-by", "updated_by")] {
            if let text = command.text(option) { writer.member(name, text) }
        }
        if let seconds = try command.integer("--wait-seconds", in: 0...PauseInput.waitSecondsMax) {
            writer.member("wait_seconds", seconds)
        }
        if let version = try command.integer("--expected-version", in: 0...Int.max) {
            writer.member("expected_version", version)
        }
        if command.has("--cancel-running") { writer.member("cancel_running", true) }
        writer.endObject()
        var errors = InputErrors()
        do throws(JSONError) {
            var reader = JSONReader(writer.finish())
            let input = try PauseInput.read(&reader, isPause: isPause, takesScope: true, into: &errors)
            guard !errors.isEmpty else { return input }
        } catch {
            throw UsageError("\(error)")
        }
        let problems = errors.all.map { error in
            "--\(error.pointer.text.dropFirst().replacing("_", with: "-")) \(error.detail)"
        }
        throw UsageError(problems.joined(separator: "; "))
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
        guard case .order(let input, let isPause, let minutes) = action else {
            show(PauseDocument.states(try await database.control.states(), try await database.workers.alive()))
            return 0
        }
        var order = PauseOrder(input, isPause: isPause)
        if let minutes { order.change.resumeAt = try await database.control.now() + .seconds(60 * minutes) }
        switch try await order.carryOut(on: database) {
        case .outdated(let state):
            show(PauseDocument.state(state))
            return 2
        case .carriedOut(let effect):
            show(effect.document)
            return effect.isAcknowledged || order.patience == .zero ? 0 : 2
        }
    }

    private func show(_ document: [UInt8]) {
        StandardStream.output.write(String(decoding: document, as: UTF8.self) + "\n")
    }
}
