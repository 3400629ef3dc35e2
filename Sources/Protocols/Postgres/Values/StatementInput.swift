public import Values

/// A value for one parameter of a statement, or for several that follow each other.
public protocol StatementInput: Sendable {
    static var parameterTypes: [PostgresType] { get }

    /// Appends a value of each of `parameterTypes`, in order.
    func append(to parameters: inout Parameters)
}

/// A value for one parameter, of which there are arrays.
public protocol ScalarInput: StatementInput {
    static func append(_ values: [Self], to parameters: inout Parameters)
}

extension Optional: StatementInput where Wrapped: StatementInput {
    public static var parameterTypes: [PostgresType] { Wrapped.parameterTypes }

    public func append(to parameters: inout Parameters) {
        if let self {
            self.append(to: &parameters)
        } else {
            for type in Wrapped.parameterTypes { parameters.appendNull(type) }
        }
    }
}

extension Array: StatementInput where Element: ScalarInput {
    public static var parameterTypes: [PostgresType] { Element.parameterTypes.map(\.array) }
    public func append(to parameters: inout Parameters) { Element.append(self, to: &parameters) }
}

/// A value that stands for several parameters: `statementInputs` lists them, from which the types follow.
public protocol StatementInputGroup: StatementInput {
    associatedtype Inputs: StatementInput
    var statementInputs: Inputs { get }
}

extension StatementInputGroup {
    public static var parameterTypes: [PostgresType] { Inputs.parameterTypes }
    public func append(to parameters: inout Parameters) { statementInputs.append(to: &parameters) }
}

/// Values for parameters that follow each other.
public struct StatementInputs<each Input: StatementInput>: StatementInput {
    private let inputs: (repeat each Input)

    public init(_ inputs: repeat each Input) {
        self.inputs = (repeat each inputs)
    }

    public static var parameterTypes: [PostgresType] {
        var types: [PostgresType] = []
        repeat types += (each Input).parameterTypes
        return types
    }

    public func append(to parameters: inout Parameters) {
        repeat (each inputs).append(to: &parameters)
    }
}

/// `text` from bytes that are UTF-8 already.
public struct TextBytes: StatementInput {
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static var parameterTypes: [PostgresType] { [.text] }
    public func append(to parameters: inout Parameters) { parameters.append(textBytes: bytes) }
}

/// `json` from the bytes of a JSON text, which PostgreSQL checks and keeps as it is.
public struct JSONBytes: StatementInput {
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static var parameterTypes: [PostgresType] { [.json] }
    public func append(to parameters: inout Parameters) { parameters.append(json: bytes) }
}

/// `bytea`.
public struct BinaryBytes: StatementInput {
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public static var parameterTypes: [PostgresType] { [.bytea] }
    public func append(to parameters: inout Parameters) { parameters.append(bytea: bytes) }
}

extension Bool: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.bool] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [Bool], to parameters: inout Parameters) { parameters.append(values) }
}

extension Int16: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.int2] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [Int16], to parameters: inout Parameters) { parameters.append(values) }
}

extension Int32: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.int4] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [Int32], to parameters: inout Parameters) { parameters.append(values) }
}

extension Int64: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.int8] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [Int64], to parameters: inout Parameters) { parameters.append(values) }
}

extension Double: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.float8] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [Double], to parameters: inout Parameters) { parameters.append(values) }
}

extension UUID: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.uuid] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [UUID], to parameters: inout Parameters) { parameters.append(values) }
}

extension WallInstant: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.timestamptz] }
    public func append(to parameters: inout Parameters) { parameters.append(self) }
    public static func append(_ values: [WallInstant], to parameters: inout Parameters) { parameters.append(values) }
}

extension String: ScalarInput {
    public static var parameterTypes: [PostgresType] { [.text] }
    public func append(to parameters: inout Parameters) { parameters.append(text: self) }
    public static func append(_ values: [String], to parameters: inout Parameters) { parameters.append(values) }
}
