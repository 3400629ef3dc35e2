/// One error in a JSON document: where, and what is accepted.
public struct InputError: Error, Hashable, Sendable {
    public let pointer: JSONPointer
    /// Completes a sentence that begins with the place: `must be an integer from 1 to 10000`.
    public let detail: String

    public init(pointer: JSONPointer, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}

/// The errors of a JSON document, in the order in which they were found.
public struct InputErrors: Sendable {
    /// The number of errors that are kept. Further ones are only counted: a body of a thousand invalid jobs does not
    /// need a response of a thousand errors.
    public static let countMax = 100

    public private(set) var all: [InputError] = []
    /// Includes those beyond `countMax`.
    public private(set) var count = 0
    /// Whether one of the errors is a value that is too long.
    public internal(set) var hasOversizedValue = false

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// Whether further errors are only counted.
    var isFull: Bool { all.count == Self.countMax }

    /// nil: an error that is only counted.
    mutating func add(_ error: InputError?) {
        count += 1
        if let error { all.append(error) }
    }
}
