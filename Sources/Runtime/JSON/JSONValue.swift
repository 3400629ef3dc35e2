/// A JSON value as a tree, for uses where convenience matters more than speed: handler results, configuration files,
/// tests. Numbers keep their text, objects the order of their members and repeated names.
///
/// Values are equal if their numbers have the same text and their members the same order. Strings are compared by
/// Unicode scalars, not by canonical equivalence as in Swift.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
}

/// A name and its value inside an object.
public struct JSONMember: Sendable, Equatable {
    public var name: String
    public var value: JSONValue

    public init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }

    public static func == (left: JSONMember, right: JSONMember) -> Bool {
        left.name.utf8.elementsEqual(right.name.utf8) && left.value == right.value
    }
}

// MARK: Reading and writing

extension JSONValue {
    /// Parses a complete text. Throws the errors of `JSONReader`; a string or name with an unpaired surrogate, which a
    /// `String` cannot represent, is a type error.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var reader = JSONReader(bytes)
        self = try reader.readValue()
        try reader.finish()
    }

    /// Parses a complete text.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// The value as a JSON text without white space.
    public var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.finish()
    }

    /// The value as a JSON text without white space.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension JSONReader {
    /// Reads the next value as a tree, with a recursion depth of up to `depthMax`. After a type error, which only an
    /// unpaired surrogate can cause, the reader may be inside the value; `skip(toDepth:)` leaves it.
    public mutating func readValue() throws(JSONError) -> JSONValue {
        switch try peekKind() {
        case .null:
            _ = try readNull()
            return .null
        case .bool: return .bool(try readBool())
        case .number: return .number(JSONNumber(checked: try readNumberText()))
        case .string: return .string(try readString())
        case .array:
            var elements: [JSONValue] = []
            try beginArray()
            while try nextElement() {
                elements.append(try readValue())
            }
            return .array(elements)
        case .object:
            var members: [JSONMember] = []
            try beginObject()
            while let key = try nextMember() {
                members.append(JSONMember(try key.unicodeText(), try readValue()))
            }
            return .object(members)
        }
    }
}

extension JSONWriter {
    /// Writes a tree.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .number(let number): literal(number.text)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements {
                self.value(element)
            }
            endArray()
        case .object(let members):
            beginObject()
            for member in members {
                key(member.name)
                self.value(member.value)
            }
            endObject()
        }
    }

    /// Writes a member with a tree.
    public mutating func member(_ name: String, _ value: JSONValue) {
        key(name)
        self.value(value)
    }
}

// MARK: Looking inside

extension JSONValue {
    /// The value of the member `name`; nil if this is not an object or has no such member. Of repeated names the last
    /// one is used, as in ECMAScript and in PostgreSQL's `jsonb`.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// The element at `index`; nil if this is not an array or is shorter.
    public subscript(_ index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The number as an integer, without rounding; nil if it is not an integer or does not fit.
    public var integer: Int? {
        if case .number(let number) = self { number.integer() } else { nil }
    }

    /// The number as the nearest double.
    public var double: Double? {
        if case .number(let number) = self { number.double } else { nil }
    }

    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    public var object: [JSONMember]? {
        if case .object(let members) = self { members } else { nil }
    }

    public var kind: JSONKind {
        switch self {
        case .null: .null
        case .bool: .bool
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }
}

extension JSONValue: Equatable {
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

// MARK: Literals

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) {
        self = .null
    }

    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }

    public init(integerLiteral value: Int) {
        self = .number(JSONNumber(value))
    }

    public init(stringLiteral value: String) {
        self = .string(value)
    }

    public init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0.0, $0.1) })
    }
}
