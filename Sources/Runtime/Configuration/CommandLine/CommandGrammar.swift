/// The commands of a program, in addition to the options that every program has.
public struct CommandGrammar: Sendable {
    /// Name of the program, such as `jobqueue-api`.
    public let program: String
    /// One sentence that describes the program.
    public let summary: String
    public let commands: [Command]

    public init(program: String, summary: String, commands: [Command] = []) {
        self.program = program
        self.summary = summary
        self.commands = commands
    }

    /// A command that the program executes instead of serving, such as `migrate`.
    public struct Command: Sendable {
        public let name: String
        public let summary: String
        /// Accepted actions after the command; the first is the default. Empty if the command has no actions.
        public let actions: [String]
        public let options: [Option]

        public init(_ name: String, summary: String, actions: [String] = [], options: [Option] = []) {
            self.name = name
            self.summary = summary
            self.actions = actions
            self.options = options
        }
    }

    public struct Option: Sendable {
        /// Name with its hyphens, such as `--dry-run`.
        public let name: String
        /// Placeholder of the value in the help; nil for a flag.
        public let valueName: String?
        /// Other accepted names.
        public let aliases: [String]
        public let summary: String

        public init(_ name: String, value valueName: String? = nil, aliases: [String] = [], summary: String) {
            self.name = name
            self.valueName = valueName
            self.aliases = aliases
            self.summary = summary
        }
    }

    /// The usage: one line for each form of the command line.
    public var usage: String {
        var lines = ["\(program) [--help | --version | --check-config | --list-settings]"]
        lines += commands.map { command in
            let actions = command.actions.isEmpty ? "" : " [\(command.actions.joined(separator: "|"))]"
            let options = command.options.map { " [\($0.name)\($0.valueName.map { "=\($0)" } ?? "")]" }.joined()
            return "\(program) \(command.name)\(actions)\(options)"
        }
        return "Usage: " + lines.joined(separator: "\n       ") + "\n"
    }

    /// The text of `--help` before the settings.
    public var help: String {
        var text = "\(program): \(summary)\n\n\(usage)"
        for command in commands {
            text += "\n  \(command.name)\n      \(command.summary)\n"
            for option in command.options {
                text += "  \(option.name)\(option.valueName.map { "=\($0)" } ?? "")\n      \(option.summary)\n"
            }
        }
        return text + """

              --help            print this help and exit
              --version         print the version and exit
              --check-config    check the settings and exit with 0 if they are valid, else with 78
              --list-settings   print the settings as tab-separated values and exit

            """
    }
}
