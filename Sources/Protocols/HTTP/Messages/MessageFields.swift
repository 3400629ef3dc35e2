/// The field lines of a received head, kept as ranges into its bytes: a text is made only of the
/// fields that somebody asks for.
public struct MessageFields: Sendable {
    /// The head as it was received.
    let bytes: [UInt8]
    let lines: [FieldLine]

    /// The number of lines with this field.
    public func count(of field: KnownField) -> Int {
        var count = 0
        for line in lines where line.known == field { count += 1 }
        return count
    }

    /// The value of the only line with this field; nil without one, and nil with several, for fields
    /// where choosing between them would be a guess (`Authorization`).
    public func only(_ field: KnownField) -> ArraySlice<UInt8>? {
        count(of: field) == 1 ? first(field) : nil
    }

    /// The value of the first line with this field, without white space around it.
    public func first(_ field: KnownField) -> ArraySlice<UInt8>? {
        for line in lines where line.known == field { return bytes[line.value.indices()] }
        return nil
    }

    /// `first(_:)` as text. Bytes that are not UTF-8 become U+FFFD.
    public func text(_ field: KnownField) -> String? {
        first(field).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The value of the first line with this name, whatever its case, as text.
    public func text(named name: String) -> String? {
        let wanted = name.utf8.map(\.lowercased)
        for line in lines where line.name.count == wanted.count {
            if bytes[line.name.indices()].elementsEqual(wanted, by: { $0.lowercased == $1 }) {
                return String(decoding: bytes[line.value.indices()], as: UTF8.self)
            }
        }
        return nil
    }

    /// All lines in the order in which they came.
    public var all: [(name: String, value: String)] {
        lines.map {
            (
                String(decoding: bytes[$0.name.indices()], as: UTF8.self),
                String(decoding: bytes[$0.value.indices()], as: UTF8.self)
            )
        }
    }
}
