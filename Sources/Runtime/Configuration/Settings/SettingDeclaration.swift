/// One environment variable, as `--help`, the documentation and the manifests show it.
public struct SettingDeclaration: Sendable, Equatable {
    public let name: String
    /// What may stand in it: `an integer from 1 to 65535`.
    public let accepted: String
    /// What counts when it is not set; nil when nothing does.
    public let defaultText: String?
    /// Without it the process does not start.
    public let isRequired: Bool
    public let isSecret: Bool
    /// Whether it may be given as `<name>_FILE`. A variable that itself names a file may not.
    public let hasFileForm: Bool
    public let help: String
}

/// What is wrong with one variable, or with several together.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The names, and the file where the value came from one.
    public let place: String
    /// Never the value of a secret.
    public let problem: String
    public let accepted: String?

    /// - Parameter accepted: what would be right; nil when `problem` says it.
    public init(place: String, problem: String, accepted: String? = nil) {
        self.place = place
        self.problem = problem
        self.accepted = accepted
    }

    public var description: String {
        "\(place): \(problem)" + (accepted.map { " (accepted: \($0))" } ?? "")
    }
}

/// Everything that is wrong with the configuration, at once.
public struct ConfigurationFailure: Error, Sendable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    /// EX_CONFIG of sysexits.h.
    public static let exitStatus: Int32 = 78

    public var description: String {
        "the configuration is not usable:\n" + problems.map { "  \($0)\n" }.joined()
    }
}

/// Why a text is not a value of its kind; completes the sentence `"80a" ...`.
struct SettingMistake: Error {
    let problem: String

    init(_ problem: String) {
        self.problem = problem
    }
}
