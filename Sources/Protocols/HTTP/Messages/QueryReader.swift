public import JSON
public import Values

/// Reads the parameters of a query, each at most once, and collects all errors. `Parameter` lists the accepted names:
///
///     private enum Parameter: String, CaseIterable { case queue, limit }
///
///     var reader = QueryReader(query)
///     reader.read(Parameter.self) { reader, parameter in
///         switch parameter {
///         case .queue: queue = reader.text(.name)
///         case .limit: limit = reader.integer(in: 1...500) ?? limit
///         }
///     }
///     try reader.finish()
///
/// The methods that read a value return nil and note an error if it is not accepted.
public struct QueryReader {
    private let items: [Query.Item]
    /// The parameter that is read.
    private var item = Query.Item(name: "", value: "")
    private var errors: [Problem.InvalidInput] = []
    /// Includes the errors that are not kept (`InputErrors.countMax`).
    private var errorCount = 0

    public init(_ query: Query) {
        items = query.items
    }

    /// Calls `read` for each parameter of the query. Unknown and repeated ones are errors.
    public mutating func read<Parameter: RawRepresentable<String> & CaseIterable>(
        _ parameters: Parameter.Type, _ read: (inout QueryReader, Parameter) -> Void
    ) {
        let accepted = Array(Parameter.allCases)
        readEach(of: accepted.map(\.rawValue)) { reader, index in read(&reader, accepted[index]) }
    }

    /// Throws 400 if the query has parameters.
    public static func requireNone(in query: Query) throws(Problem) {
        var reader = QueryReader(query)
        reader.readEach(of: []) { _, _ in }
        try reader.finish()
    }

    /// Throws 400 with all errors, if there are any.
    public func finish() throws(Problem) {
        if errorCount > 0 { throw Problem.invalid("query", .badRequest, errors, count: errorCount) }
    }

    /// `read` gets the position of the parameter in `names`.
    private mutating func readEach(of names: [String], _ read: (inout QueryReader, Int) -> Void) {
        var found: Set<Int> = []
        for item in items {
            self.item = item
            // Bytes are compared: `==` on String takes differently composed letters for equal.
            guard let index = names.firstIndex(where: { $0.utf8.elementsEqual(item.name.utf8) }) else {
                // The search for a similar name costs time: not for errors that are only counted.
                guard errors.count < InputErrors.countMax else {
                    errorCount += 1
                    continue
                }
                add(UnknownName.detail(of: item.name, kind: "parameter", known: names))
                continue
            }
            if found.insert(index).inserted { read(&self, index) } else { add("appears more than once") }
        }
    }

    // MARK: Errors

    /// Notes an error of the parameter that is read.
    public mutating func add(_ detail: String) {
        add(item.name, detail)
    }

    /// Notes an error of a parameter.
    public mutating func add(_ parameter: some RawRepresentable<String>, _ detail: String) {
        add(parameter.rawValue, detail)
    }

    private mutating func add(_ name: String, _ detail: String) {
        errorCount += 1
        if errors.count < InputErrors.countMax { errors.append(.init(.parameter(name), detail)) }
    }

    // MARK: Values

    /// The value as `parse` reads it; nil after noting `requirement`.
    public mutating func value<Value>(_ requirement: String, _ parse: (String) -> Value?) -> Value? {
        if let value = parse(item.value) { return value }
        add(requirement)
        return nil
    }

    /// A text that the rule accepts.
    public mutating func text(_ rule: TextRule) -> String? {
        value(rule.requirement) { rule.accepts($0) ? $0 : nil }
    }

    /// One of the raw values of `accepted`.
    public mutating func choice<Choice: RawRepresentable<String>>(of accepted: [Choice]) -> Choice? {
        value("must be one of \(accepted.map(\.rawValue).joined(separator: ", "))") { text in
            accepted.first { $0.rawValue.utf8.elementsEqual(text.utf8) }
        }
    }

    /// An integer of `range`, in decimal digits without a sign.
    public mutating func integer(in range: ClosedRange<Int>) -> Int? {
        value("must be an integer from \(range.lowerBound) to \(range.upperBound)") { text in
            Self.integer(ofDigits: text.utf8).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// The integer of 1 to 18 decimal digits; nil for any other text.
    public static func integer(ofDigits text: some Collection<UInt8>) -> Int? {
        guard (1...18).contains(text.count), text.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// An RFC 3339 instant.
    public mutating func instant() -> WallInstant? {
        do throws(WallInstantError) {
            return try WallInstant(parsing: item.value)
        } catch {
            add(error.description)
            return nil
        }
    }
}
