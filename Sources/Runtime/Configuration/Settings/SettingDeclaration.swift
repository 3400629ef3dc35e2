/// An environment variable, as shown by `--help`, the documentation and the manifests.
public struct SettingDeclaration: Sendable, Equatable {
    public let name: String
    /// Accepted values, such as `an integer from 1 to 65535`.
    public let accepted: String
    /// The default value or its description; nil without a default.
    public let defaultText: String?
    /// Whether the program requires the variable to start.
    public let isRequired: Bool
    public let isSecret: Bool
    /// Whether the value can be given by `<name>_FILE`. Not for a variable that is itself the path of a file.
    public let hasFileForm: Bool
    public let help: String
}

/// An error in one variable, or in the relation of several.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// Names of the variables, with the path of the file if the value is from `<name>_FILE`.
    public let setting: String
    /// What is wrong. Does not contain the value of a secret.
    public let problem: String
    /// Accepted values; nil if `problem` names them.
    public let accepted: String?

    /// - Parameter accepted: accepted values; nil if `problem` names them.
    public init(setting: String, problem: String, accepted: String? = nil) {
        self.setting = setting
        self.problem = problem
        self.accepted = accepted
    }

    public var description: String {
        "\(setting): \(problem)" + (accepted.map { " (accepted: \($0))" } ?? "")
    }
}

/// All errors of a configuration.
public struct ConfigurationFailure: Error, Sendable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    /// EX_CONFIG (sysexits.h).
    public static let exitStatus: Int32 = 78

    public var description: String {
        "the configuration is not valid:\n" + problems.map { "  \($0)\n" }.joined()
    }
}

/// Why a text is not a valid value. Completes the sentence `"80a" ...`.
struct SettingMistake: Error {
    let problem: String

    init(_ problem: String) {
        self.problem = problem
    }
}
