internal import Values

/// A command line that does not match the grammar.
public struct UsageError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }

    /// EX_USAGE (sysexits.h).
    public static let exitStatus: Int32 = 64
}

/// A parsed command line.
public struct CommandLineArguments: Sendable, Equatable {
    public enum Request: Sendable, Equatable {
        case run, help, version, checkConfig, listSettings
    }

    public private(set) var request = Request.run
    /// The command; nil to serve.
    public private(set) var command: Command?

    public struct Command: Sendable, Equatable {
        public let name: String
        /// One of the command's actions; empty if it has none.
        public fileprivate(set) var action: String
        /// Values by the name of the option, also if an alias was used. The value of a flag is empty.
        public fileprivate(set) var options: [String: String] = [:]

        public func has(_ option: String) -> Bool {
            options[option] != nil
        }

        /// The text of an option; nil if it is not given.
        public func text(_ option: String) -> String? {
            options[option]
        }

        /// The integer of an option; nil if it is not given. Throws if it is not an integer in `range`.
        public func integer(_ option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
            guard let text = options[option] else { return nil }
            guard let value = SettingText.integer(text), range.contains(value) else {
                throw UsageError(
                    "\(option): \(Quoted.text(text)) is not an integer from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }

        /// The choice of an option; nil if it is not given. Throws if it is not one of the cases.
        public func choice<Choice>(_ option: String) throws(UsageError) -> Choice?
        where Choice: CaseIterable & RawRepresentable<String> {
            guard let text = options[option] else { return nil }
            guard let value = Choice(rawValue: text) else {
                let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw UsageError("\(option): \(Quoted.text(text)) is not one of \(known)")
            }
            return value
        }
    }

    /// - Parameter arguments: the arguments without the program's name.
    public init(parsing arguments: [String], _ grammar: CommandGrammar) throws(UsageError) {
        var rest = arguments[...]
        var chosen: CommandGrammar.Command?
        var hasAction = false
        while let argument = rest.popFirst() {
            if let request = Self.requests[argument] {
                guard self.request == .run || self.request == request else {
                    throw UsageError("\(Quoted.text(argument)) cannot be combined with another request")
                }
                self.request = request
            } else if let known = chosen, argument.hasPrefix("-") {
                let (option, value) = try Self.option(argument, of: known, rest: &rest)
                guard command?.options.updateValue(value, forKey: option) == nil else {
                    throw UsageError("\(option) is given more than once")
                }
            } else if let known = chosen, !hasAction, known.actions.contains(argument) {
                command?.action = argument
                hasAction = true
            } else if chosen == nil, let named = grammar.commands.first(where: { $0.name == argument }) {
                chosen = named
                command = Command(name: named.name, action: named.actions.first ?? "")
            } else {
                throw Self.unknown(argument, known: Self.words(chosen, grammar))
            }
        }
    }

    private static let requests: [String: Request] = [
        "--help": .help, "-h": .help, "--version": .version, "--check-config": .checkConfig,
        "--list-settings": .listSettings,
    ]

    /// Parses `--name`, `--name=value` or `--name value`.
    private static func option(
        _ argument: String, of command: CommandGrammar.Command, rest: inout ArraySlice<String>
    ) throws(UsageError) -> (name: String, value: String) {
        let name = String(argument.prefix { $0 != "=" })
        guard let option = command.options.first(where: { $0.name == name || $0.aliases.contains(name) }) else {
            throw unknown(argument, known: command.options.map(\.name))
        }
        let value = name.count < argument.count ? String(argument.dropFirst(name.count + 1)) : nil
        guard let valueName = option.valueName else {
            guard value == nil else { throw UsageError("\(option.name) accepts no value") }
            return (option.name, "")
        }
        guard let value = value ?? rest.popFirst(), !value.isEmpty else {
            throw UsageError("\(option.name) requires a value: \(option.name)=\(valueName)")
        }
        return (option.name, value)
    }

    private static func words(_ chosen: CommandGrammar.Command?, _ grammar: CommandGrammar) -> [String] {
        let own = chosen.map { $0.actions + $0.options.map(\.name) } ?? grammar.commands.map(\.name)
        return own + requests.keys.sorted()
    }

    private static func unknown(_ argument: String, known: [String]) -> UsageError {
        // A known word in a wrong position is not a misspelling.
        let others = known.contains(argument) ? [] : known
        let nearest = Spelling.nearest(to: argument, among: others).map { "; did you mean \($0)?" } ?? ""
        return UsageError("unknown argument \(Quoted.text(argument))\(nearest)")
    }
}
