/// The value of a log field. Numbers and booleans are written as such in JSON.
public enum LogValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    /// Written in milliseconds with three decimal places. The field's name ends in `_ms`.
    case milliseconds(Duration)

    /// An integer, clamped to 64 bits.
    public static func integer(_ value: some BinaryInteger) -> LogValue {
        .integer(Int64(clamping: value))
    }

    /// The description of a value, such as an identifier.
    public static func text(_ value: some CustomStringConvertible) -> LogValue {
        .string(value.description)
    }

    /// The description of an error.
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

/// A name and its value in a log line.
public struct LogField: Sendable, Equatable {
    /// Name in snake_case. A reserved name (`timestamp`, `level`, `message`, `component`) gets a trailing `_`.
    public let name: String
    public let value: LogValue

    public init(_ name: String, _ value: LogValue) {
        self.name = Self.reserved.contains(name) ? name + "_" : name
        self.value = value
    }

    static let reserved = ["timestamp", "level", "message", "component"]
}

/// Fields in order: `["job_id": "\(id)", "attempt": 3]`. Names are unique; a later value replaces an earlier one.
public struct LogFields: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var list: [LogField] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, LogValue)...) {
        list.reserveCapacity(elements.count)
        for (name, value) in elements {
            set(LogField(name, value))
        }
    }

    /// Appends a field, or replaces the field with the same name.
    public mutating func set(_ field: LogField) {
        if let index = list.firstIndex(where: { $0.name == field.name }) {
            list[index] = field
        } else {
            list.append(field)
        }
    }

    /// These fields followed by `others`, which replace fields with the same name.
    public func merged(with others: LogFields) -> LogFields {
        guard !list.isEmpty else { return others }
        var merged = self
        for field in others.list {
            merged.set(field)
        }
        return merged
    }
}
