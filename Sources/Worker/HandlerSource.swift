internal import Configuration
internal import EventLoop

/// The source of this worker's handlers: the built-in ones, overridden by those of `WORKER_HANDLERS_FILE`.
struct HandlerSource: Sendable {
    private let path: String?
    private let dependencies: HandlerDependencies
    /// The handlers at the start of the worker.
    let initial: HandlerTable
    /// The version of the file that was read at the start; nil: none is configured.
    let file: FileWatch?
    /// Whether a handlers file is configured.
    var hasFile: Bool { path != nil }

    /// Reads the settings and the file. An error in the file is a configuration problem, like any other wrong setting.
    init(reading reader: inout SettingsReader, environment: ProcessEnvironment, on loop: Loop) {
        let path = reader.optionalFile(
            "WORKER_HANDLERS_FILE",
            help: "Handlers file in JSON: the handler of each job type. Without it only the built-in types run.")
        let allowed = reader.list(
            "WEBHOOK_ALLOW", help: "Destinations of webhooks in addition to the public internet over HTTPS.",
            accepts: "host names, addresses and blocks such as 10.0.0.0/8, separated by commas",
            whereEach: WebhookAllowList.isEntry)
        var dependencies = HandlerDependencies(loop: loop)
        dependencies.webhookAllow = WebhookAllowList(allowed) ?? .none
        dependencies.environment = environment.values
        self.path = path
        file = path.map(FileWatch.init(path:))
        self.dependencies = dependencies
        do throws(HandlersFileError) {
            initial = try Self.load(path, dependencies)
        } catch {
            initial = HandlerTable([:], builtIn: HandlerTable.builtIn(on: loop))
            reader.add(
                ConfigurationProblem(
                    setting: "WORKER_HANDLERS_FILE", problem: "has errors:\n\(error)", accepted: nil))
        }
    }

    /// Reads the file again.
    func load() throws(HandlersFileError) -> HandlerTable {
        try Self.load(path, dependencies)
    }

    private static func load(
        _ path: String?, _ dependencies: HandlerDependencies
    ) throws(HandlersFileError) -> HandlerTable {
        guard let path else { return HandlerTable([:], builtIn: HandlerTable.builtIn(on: dependencies.loop)) }
        return try HandlersFile.load(path: path, for: dependencies)
    }
}
