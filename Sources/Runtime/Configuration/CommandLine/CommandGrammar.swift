/// What may stand on a program's command line besides the options that every program has.
public struct CommandGrammar: Sendable {
    /// `jobqueue-api`
    public let program: String
    /// What it is, in a sentence.
    public let summary: String
    public let commands: [Command]

    public init(program: String, summary: String, commands: [Command] = []) {
        self.program = program
        self.summary = summary
        self.commands = commands
    }

    /// A word that makes the program do something else than serve: `migrate`.
    public struct Command: Sendable {
        public let name: String
        public let summary: String
        /// Words of which one may follow; the first is meant when none does. Empty: no word may follow.
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
        /// With its hyphens: `--dry-run`.
        public let name: String
        /// What its value is called in the help; nil for a flag.
        public let valueName: String?
        public let aliases: [String]
        public let summary: String

        public init(_ name: String, value valueName: String? = nil, aliases: [String] = [], summary: String) {
            self.name = name
            self.valueName = valueName
            self.aliases = aliases
            self.summary = summary
        }
    }

    /// The forms of the command line, a line each.
    public var usage: String {
        var lines = ["\(program) [--help | --version | --check-config | --list-settings]"]
        lines += commands.map { command in
            let actions = command.actions.isEmpty ? "" : " [\(command.actions.joined(separator: "|"))]"
            let options = command.options.map { " [\($0.name)\($0.valueName.map { "=\($0)" } ?? "")]" }.joined()
            return "\(program) \(command.name)\(actions)\(options)"
        }
        return "Usage: " + lines.joined(separator: "\n       ") + "\n"
    }

    /// What `--help` prints before the settings.
    public var help: String {
        var text = "\(program): \(summary)\n\n\(usage)"
        for command in commands {
            text += "\n  \(command.name)\n      \(command.summary)\n"
            for option in command.options {
                text += "  \(option.name)\(option.valueName.map { "=\($0)" } ?? "")\n      \(option.summary)\n"
            }
        }
        return text + """

              --help            print this, and exit
              --version         print the version, and exit
              --check-config    check the settings, and exit: 0 when they are usable, 78 when not
              --list-settings   print the settings as a table for programs, and exit

            """
    }
}
