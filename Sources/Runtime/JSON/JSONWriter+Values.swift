public import Values

extension JSONWriter {
    /// A member that is null where there is no value.
    @inlinable
    public mutating func optional<Value>(_ name: String, _ value: Value?, _ write: (inout JSONWriter, Value) -> Void) {
        key(name)
        if let value { write(&self, value) } else { null() }
    }

    /// A member that is an array.
    @inlinable
    public mutating func array<Elements: Sequence>(
        _ name: String, _ elements: Elements, _ write: (inout JSONWriter, Elements.Element) -> Void
    ) {
        key(name)
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }

    /// A UUID in its lower-case form.
    public mutating func string(_ id: UUID) {
        var text: [UInt8] = []
        id.appendASCII(to: &text)
        string(utf8: text)
    }

    /// An RFC 3339 instant with microseconds, in UTC.
    public mutating func string(_ instant: WallInstant) {
        var text: [UInt8] = []
        instant.append(to: &text)
        string(utf8: text)
    }
}
