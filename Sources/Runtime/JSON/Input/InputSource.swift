public import Values

/// A form in which the fields of a request come from outside: the members of a JSON document (`InputReader`) or the
/// options of a command. A model that reads itself from a source has the same rules in every form; each form notes
/// errors in its own terms.
///
/// Each method reads the value of one field. It returns nil, and notes an error, if the value is not accepted.
public protocol InputSource {
    associatedtype Failure: Error

    /// A text as `parse` reads it; nil after noting `requirement`.
    mutating func value<Value>(
        _ requirement: @autoclosure () -> String, _ parse: (String) -> Value?
    ) throws(Failure) -> Value?
    /// A text that the rule accepts.
    mutating func text(_ rule: TextRule) throws(Failure) -> String?
    mutating func integer<Value: FixedWidthInteger>(in range: ClosedRange<Value>) throws(Failure) -> Value?
    mutating func bool() throws(Failure) -> Bool?
    /// An RFC 3339 instant.
    mutating func instant() throws(Failure) -> WallInstant?
}

extension InputReader: InputSource {
    public typealias Failure = JSONSyntaxError
}
