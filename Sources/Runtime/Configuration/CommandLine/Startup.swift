/// What a program does with its command line and environment before anything else; the same in all three.
public enum Startup<Settings> {
    /// Serve, or do what the command says. The warnings are for the log.
    case run(Settings, command: CommandLineArguments.Command?, warnings: [String])
    /// Print, and end with this status: on standard output for 0, on standard error for any other.
    case exit(status: Int32, text: String)

    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - prefixes: of variables that are this program's own; an unknown one is a warning.
    ///   - read: declares and reads the settings. It is told the command, since one may need less than serving does; run
    ///     with an empty environment and no command it gives the table of the help.
    public static func decide(
        arguments: [String], environment: ProcessEnvironment, grammar: CommandGrammar, version: String,
        prefixes: [String],
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
                "\nSettings (environment variables). Any X may be given as X_FILE, a file that holds the value; a\n"
                + "variable that is empty counts as not set.\n\n"
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
            return .exit(status: ConfigurationFailure.exitStatus, text: "\(grammar.program): \(error)")
        }
        let warnings = reader.unknownVariables(prefixes: prefixes)
        guard line.request == .checkConfig else { return .run(settings, command: line.command, warnings: warnings) }
        let text = warnings.map { "warning: \($0)\n" }.joined() + "the configuration is usable\n"
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
