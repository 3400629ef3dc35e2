/// Reads settings from environment variables, each declared by the call that reads it.
///
/// One call declares a variable completely: name, type, default, range and help. The same code, run with an empty
/// environment, produces the table for `--help`, the documentation and the tests. An invalid value does not stop
/// reading: the call records a problem and returns the default, and `finish` throws all problems at once.
///
///     var settings = SettingsReader(environment: try .current())
///     let port = settings.integer("API_PORT", default: 8000, in: 1...65535, help: "Port to listen on.")
///     let key = settings.secret("API_SECRET_KEY", charactersMin: 32, help: "The root key.")
///     try settings.finish()
///
/// Rules for every variable: an empty value counts as not set. `X_FILE` is the path of a file with the value of `X`;
/// one newline at its end is removed. Setting both is an error.
public struct SettingsReader: Sendable {
    private let environment: ProcessEnvironment
    public private(set) var declarations: [SettingDeclaration] = []
    public private(set) var problems: [ConfigurationProblem] = []
    /// Variables that name files which do not exist yet, such as secrets that are mounted or rendered later.
    private var absentFiles: [String: String] = [:]

    public init(environment: ProcessEnvironment) {
        self.environment = environment
    }

    /// Throws if there are any problems.
    public func finish() throws(ConfigurationFailure) {
        guard problems.isEmpty else { throw ConfigurationFailure(problems: problems) }
    }

    /// The files that are missing, each with its variable, if nothing else is wrong; otherwise empty.
    public var filesToAwait: [String] {
        guard problems.allSatisfy({ absentFiles[$0.setting] != nil }) else { return [] }
        return absentFiles.sorted { $0.key < $1.key }.map { "\(Quoted.text($0.value)) (\($0.key))" }
    }

    /// Notes that the file of a variable does not exist, if so.
    mutating func note(absenceOf path: String, of variable: String) {
        if !SmallFile.exists(path) { absentFiles[variable] = path }
    }

    /// Checks a relation between settings. If `holds` is false, adds a problem with the names of the variables.
    public mutating func require(_ holds: Bool, of names: String..., otherwise problem: String) {
        guard !holds else { return }
        add(ConfigurationProblem(setting: names.joined(separator: ", "), problem: problem, accepted: nil))
    }

    /// Adds a problem.
    public mutating func add(_ problem: ConfigurationProblem) {
        problems.append(problem)
    }

    /// Warnings about variables with one of these prefixes that are not declared, with the nearest known name. Must be
    /// called after all declarations.
    public func unknownVariables(prefixes: [String]) -> [String] {
        var known = declarations.map(\.name)
        known += declarations.filter(\.hasFileForm).map { $0.name + "_FILE" }
        return UnknownVariables.warnings(about: environment.values, known: known, prefixes: prefixes)
    }

    /// Declares a variable and reads it.
    /// - Parameters:
    ///   - fallback: returned if the variable is not set or invalid.
    ///   - parse: converts a text, which is not empty.
    mutating func read<Value>(
        _ declaration: SettingDeclaration, fallback: Value,
        parse: (String) throws(SettingMistake) -> Value
    ) -> Value {
        precondition(!declarations.contains { $0.name == declaration.name }, "\(declaration.name) is declared twice")
        declarations.append(declaration)
        guard let given = given(declaration) else { return fallback }
        do {
            return try parse(given.text)
        } catch {
            var problem = declaration.isSecret ? error.problem : "\(Quoted.text(given.text)) \(error.problem)"
            if UnknownVariables.isServiceAddress(given.text) {
                problem +=
                    ": Kubernetes sets it for a Service of that name, unless the pod has enableServiceLinks: false"
            }
            add(ConfigurationProblem(setting: given.source, problem: problem, accepted: declaration.accepted))
            return fallback
        }
    }

    /// The text of a variable, and its source for messages. Nil if it is not set, or if it cannot be read, which adds a
    /// problem.
    private mutating func given(_ declaration: SettingDeclaration) -> (text: String, source: String)? {
        let name = declaration.name
        let direct = environment.values[name].flatMap { $0.isEmpty ? nil : $0 }
        let file = declaration.hasFileForm ? environment.values[name + "_FILE"].flatMap { $0.isEmpty ? nil : $0 } : nil
        switch (direct, file) {
        case (let direct?, nil):
            return (direct, name)
        case (nil, let file?):
            do {
                return (try SmallFile.value(of: file), "\(name)_FILE (\(Quoted.text(file)))")
            } catch {
                note(absenceOf: file, of: "\(name)_FILE")
                add(ConfigurationProblem(setting: "\(name)_FILE", problem: "\(error)", accepted: "a readable file"))
            }
        case (.some, .some):
            add(
                ConfigurationProblem(
                    setting: "\(name), \(name)_FILE", problem: "both are set", accepted: "one of them"))
        case (nil, nil):
            if environment.unreadable.contains(name) {
                add(ConfigurationProblem(setting: name, problem: "is not UTF-8", accepted: declaration.accepted))
            } else if declaration.isRequired {
                add(ConfigurationProblem(setting: name, problem: "is not set", accepted: declaration.accepted))
            }
        }
        return nil
    }
}
