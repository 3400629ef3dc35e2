/// What a log line says besides its message, typed so that JSON keeps numbers and booleans as such.
public enum LogValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    /// Written as a number of milliseconds with microseconds as its fraction; the field's name ends in `_ms`.
    case milliseconds(Duration)

    public static func integer(_ value: some BinaryInteger) -> LogValue {
        .integer(Int64(clamping: value))
    }

    /// The text of anything that can say what it is: an error, an identifier.
    public static func text(_ value: some CustomStringConvertible) -> LogValue {
        .string(value.description)
    }

    /// An error, with what its description says.
    public static func error(_ error: any Error) -> LogValue {
        .string("\(error)")
    }
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// One name and its value.
public struct LogField: Sendable, Equatable {
    /// snake_case. The names that every line has already are written with a `_` after them.
    public let name: String
    public let value: LogValue

    public init(_ name: String, _ value: LogValue) {
        self.name = Self.reserved.contains(name) ? name + "_" : name
        self.value = value
    }

    static let reserved = ["timestamp", "level", "message", "component"]
}

/// Fields in the order in which they were given: `["job_id": "\(id)", "attempt": 3]`. A name stands once; a later
/// value replaces an earlier one.
public struct LogFields: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var list: [LogField] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, LogValue)...) {
        list.reserveCapacity(elements.count)
        for (name, value) in elements {
            set(LogField(name, value))
        }
    }

    public mutating func set(_ field: LogField) {
        if let index = list.firstIndex(where: { $0.name == field.name }) {
            list[index] = field
        } else {
            list.append(field)
        }
    }

    public func merged(with others: LogFields) -> LogFields {
        guard !list.isEmpty else { return others }
        var merged = self
        for field in others.list {
            merged.set(field)
        }
        return merged
    }
}
