internal import Configuration
internal import EventLoop

/// Where this worker's handlers come from: the built-in ones, and over them those of `WORKER_HANDLERS_FILE`.
struct HandlerSource: Sendable {
    private let path: String?
    private let dependencies: HandlerDependencies
    /// Those that the worker begins with.
    let initial: HandlerTable
    /// Whether there are others than the built-in ones.
    var hasFile: Bool { path != nil }

    /// A file that is wrong is a problem of the configuration, as is any other wrong setting.
    init(reading reader: inout SettingsReader, environment: ProcessEnvironment, on loop: Loop) {
        let path = reader.optionalFile(
            "WORKER_HANDLERS_FILE", help: "What each type of job runs (JSON); without it the built-in types only.")
        let allowed = reader.list(
            "WEBHOOK_ALLOW", help: "What webhooks may reach besides the public internet by https.",
            accepts: "host names, addresses and blocks such as 10.0.0.0/8, separated by commas",
            whereEach: WebhookAllowList.isEntry)
        var dependencies = HandlerDependencies(loop: loop)
        dependencies.webhookAllow = WebhookAllowList(allowed) ?? .none
        dependencies.environment = environment.values
        self.path = path
        self.dependencies = dependencies
        do throws(HandlersFileError) {
            initial = try Self.load(path, dependencies)
        } catch {
            initial = HandlerTable([:], builtIn: HandlerTable.builtIn(on: loop))
            reader.add(
                ConfigurationProblem(
                    setting: "WORKER_HANDLERS_FILE", problem: "is not usable:\n\(error)", accepted: nil))
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
