/// The field lines of a received head, stored as ranges into its bytes. Strings are created on access only.
public struct MessageFields: Sendable {
    /// The head as received.
    let bytes: [UInt8]
    let lines: [FieldLine]

    /// Number of lines with this field.
    public func count(of field: KnownField) -> Int {
        var count = 0
        for line in lines where line.known == field { count += 1 }
        return count
    }

    /// The value of a field that occurs exactly once; nil if it is missing or repeated. For fields such as
    /// `Authorization`, where a choice between several lines would be a guess.
    public func only(_ field: KnownField) -> ArraySlice<UInt8>? {
        count(of: field) == 1 ? first(field) : nil
    }

    /// The value of the first line with this field, without surrounding white space; nil if the field is missing.
    public func first(_ field: KnownField) -> ArraySlice<UInt8>? {
        for line in lines where line.known == field { return bytes[line.value.indices()] }
        return nil
    }

    /// `first(_:)` as text. Bytes that are not UTF-8 become U+FFFD.
    public func text(_ field: KnownField) -> String? {
        first(field).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The value of the first line with this name, in any case, as text.
    public func text(named name: String) -> String? {
        let wanted = name.utf8.map(\.lowercased)
        for line in lines where line.name.count == wanted.count {
            if bytes[line.name.indices()].elementsEqual(wanted, by: { $0.lowercased == $1 }) {
                return String(decoding: bytes[line.value.indices()], as: UTF8.self)
            }
        }
        return nil
    }

    /// All lines in the order received.
    public var all: [(name: String, value: String)] {
        lines.map {
            (
                String(decoding: bytes[$0.name.indices()], as: UTF8.self),
                String(decoding: bytes[$0.value.indices()], as: UTF8.self)
            )
        }
    }
}
