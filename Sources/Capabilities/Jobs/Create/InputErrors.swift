public import JSON

/// One thing that is wrong with a request's body: where, and what is accepted.
public struct InputError: Error, Hashable, Sendable {
    public let pointer: JSONPointer
    public let detail: String
}

/// What is wrong with a request's body, collected so that a client hears of everything at once.
///
/// The readers below note a value of the wrong kind, or out of range, and return nil; only a syntax error is thrown.
/// Pointers are built only where there is an error: most bodies have none.
public struct InputErrors: Sendable {
    /// A body of a thousand bad jobs is answered with this many.
    public static let countMax = 100

    public private(set) var all: [InputError] = []
    /// Also counts those beyond `countMax`.
    public private(set) var count = 0
    /// Among the errors is a payload that is too long.
    public internal(set) var hasOversizedPayload = false

    public init() {}

    public var isEmpty: Bool { count == 0 }

    public mutating func add(_ pointer: JSONPointer, _ detail: String) {
        count += 1
        if all.count < Self.countMax { all.append(InputError(pointer: pointer, detail: detail)) }
    }

    /// Reads an object member by member. `member` returns false for a name that it does not know; repeated names are
    /// errors as well. False when the value is no object.
    @discardableResult
    public mutating func readObject(
        _ reader: inout JSONReader, at pointer: JSONPointer,
        _ member: (inout JSONReader, JSONKey, inout InputErrors) throws(JSONError) -> Bool
    ) throws(JSONError) -> Bool {
        guard try note(pointer, { () throws(JSONError) in try reader.beginObject() }) != nil else { return false }
        var seen = JSONNameSet()
        while let key = try reader.nextMember() {
            guard seen.insert(key) else {
                add(pointer.appending(key.text), "appears more than once")
                continue
            }
            if try !member(&reader, key, &self) {
                add(pointer.appending(key.text), "is not known here")
            }
        }
        return true
    }

    public mutating func string(_ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer)
        throws(JSONError)
        -> String?
    {
        try note(pointer()) { () throws(JSONError) in try reader.readString() }
    }

    public mutating func bool(_ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer) throws(JSONError)
        -> Bool?
    {
        try note(pointer()) { () throws(JSONError) in try reader.readBool() }
    }

    public mutating func integer<Value: FixedWidthInteger>(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer, in range: ClosedRange<Value>
    ) throws(JSONError) -> Value? {
        let kind = try reader.peekKind()
        guard kind == .number else {
            add(pointer(), "must be an integer from \(range.lowerBound) to \(range.upperBound), not \(kind.phrase)")
            return nil
        }
        do throws(JSONError) {
            let value: Value = try reader.readInteger()
            if range.contains(value) { return value }
        } catch .syntax(let error) {
            throw .syntax(error)
        } catch {}
        add(pointer(), "must be an integer from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// A number of seconds, fractions allowed.
    public mutating func seconds(
        _ reader: inout JSONReader, at pointer: @autoclosure () -> JSONPointer, to most: Int32
    ) throws(JSONError) -> Double? {
        guard let value = try note(pointer(), { () throws(JSONError) in try reader.readDouble() }) else { return nil }
        if value >= 0, value <= Double(most) { return value }
        add(pointer(), "must be a number of seconds from 0 to \(most)")
        return nil
    }

    /// The result of `read`, or nil after noting that the value is of another kind.
    mutating func note<Value>(
        _ pointer: @autoclosure () -> JSONPointer, _ read: () throws(JSONError) -> Value
    ) throws(JSONError) -> Value? {
        do throws(JSONError) {
            return try read()
        } catch .type(let error) {
            add(pointer(), error.description)
            return nil
        }
    }
}
