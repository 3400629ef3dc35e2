/// The evaluation of a program's command line and environment at its start. Common to all programs.
public enum Startup<Settings> {
    /// Serve, or execute the command. The warnings are for the log.
    case run(Settings, command: CommandLineArguments.Command?, warnings: [String])
    /// Nothing is wrong but that files of settings do not exist yet: decide again later.
    case wait(files: [String])
    /// Print the text and exit. The text goes to standard output for status 0, else to standard error.
    case exit(status: Int32, text: String)

    /// Evaluates the command line and the environment.
    /// - Parameters:
    ///   - arguments: the arguments without the program's name.
    ///   - prefixes: prefixes of this program's variables. An unknown variable with such a prefix is a warning.
    ///   - awaitsFiles: whether serving, or the command, waits for files of settings that do not exist yet.
    ///   - read: declares and reads the settings. It receives the command, because a command may need fewer settings
    ///     than serving. Called with an empty environment and no command, it produces the table for the help.
    public static func decide(
        arguments: [String], environment: ProcessEnvironment, grammar: CommandGrammar, version: String,
        prefixes: [String], awaitsFiles: (CommandLineArguments.Command?) -> Bool = { _ in false },
        read: (inout SettingsReader, CommandLineArguments.Command?) -> Settings
    ) -> Startup {
        let line: CommandLineArguments
        do {
            line = try CommandLineArguments(parsing: arguments, grammar)
        } catch {
            let text = "\(grammar.program): \(error.description)\n\(grammar.usage)"
            return .exit(status: UsageError.exitStatus, text: text)
        }
        switch line.request {
        case .version:
            return .exit(status: 0, text: "\(grammar.program) \(version)\n")
        case .help:
            let introduction =
                "\nSettings (environment variables). Any setting X can be given as X_FILE, the path of a file with "
                + "the\n"
                + "value. An empty variable counts as not set.\n\n"
            return .exit(status: 0, text: grammar.help + introduction + SettingsTable.help(declarations(read)))
        case .listSettings:
            return .exit(status: 0, text: SettingsTable.listing(declarations(read)))
        case .run, .checkConfig:
            break
        }

        var reader = SettingsReader(environment: environment)
        let settings = read(&reader, line.command)
        do {
            try reader.finish()
        } catch {
            let files = reader.filesToAwait
            if line.request == .run, !files.isEmpty, awaitsFiles(line.command) { return .wait(files: files) }
            return .exit(status: ConfigurationFailure.exitStatus, text: "\(grammar.program): \(error)")
        }
        let warnings = reader.unknownVariables(prefixes: prefixes)
        guard line.request == .checkConfig else { return .run(settings, command: line.command, warnings: warnings) }
        let text = warnings.map { "warning: \($0)\n" }.joined() + "the configuration is valid\n"
        return .exit(status: 0, text: text)
    }

    private static func declarations(
        _ read: (inout SettingsReader, CommandLineArguments.Command?) -> Settings
    ) -> [SettingDeclaration] {
        var reader = SettingsReader(environment: ProcessEnvironment([:]))
        _ = read(&reader, nil)
        return reader.declarations
    }
}
