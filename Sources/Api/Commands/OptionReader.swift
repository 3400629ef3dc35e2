internal import Configuration
internal import JSON
internal import Values

/// Reads the options of a command as the fields of a request, and collects all errors. The option of the field
/// `updated_by` is `--updated-by`.
struct OptionReader: InputSource {
    typealias Failure = Never

    private let command: CommandLineArguments.Command
    /// The option that is read.
    private var option = ""
    private var errors: [String] = []

    init(_ command: CommandLineArguments.Command) {
        self.command = command
    }

    /// Calls `read` for each field whose option is given. Missing and excluded options are errors.
    mutating func read<Field>(_ fields: ObjectMembers<Field>, _ read: (inout OptionReader, Field) -> Void) {
        for field in Field.allCases {
            option = "--" + field.rawValue.replacing("_", with: "-")
            if !command.has(option) {
                if fields.requires(field) { add("is required") }
            } else if let exclusion = fields.exclusion(of: field) {
                add(exclusion)
            } else {
                read(&self, field)
            }
        }
    }

    /// Reads an option that is no field.
    mutating func integer(_ option: String, in range: ClosedRange<Int>) -> Int? {
        self.option = option
        return command.has(option) ? integer(in: range) : nil
    }

    /// Notes an error of the option that is read, or was read last.
    mutating func add(_ detail: String) {
        errors.append("\(option) \(detail)")
    }

    /// Throws all errors, if there are any.
    func finish() throws(UsageError) {
        if !errors.isEmpty { throw UsageError(errors.joined(separator: "; ")) }
    }

    // MARK: Values

    mutating func value<Value>(_ requirement: @autoclosure () -> String, _ parse: (String) -> Value?) -> Value? {
        if let value = command.text(option).flatMap(parse) { return value }
        add(requirement())
        return nil
    }

    mutating func text(_ rule: TextRule) -> String? {
        value(rule.requirement) { rule.accepts($0) ? $0 : nil }
    }

    mutating func integer<Value: FixedWidthInteger>(in range: ClosedRange<Value>) -> Value? {
        let bounds = Int(clamping: range.lowerBound)...Int(clamping: range.upperBound)
        if let value = try? command.integer(option, in: bounds) { return Value(value) }
        add("must be an integer from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// A flag that is given is true.
    mutating func bool() -> Bool? {
        command.has(option)
    }

    mutating func instant() -> WallInstant? {
        value("must be an RFC 3339 instant") { try? WallInstant(parsing: $0) }
    }
}
