public import Values

extension JSONWriter {
    /// A member that is null where there is no value.
    public mutating func optional<Value>(_ name: String, _ value: Value?, _ write: (inout JSONWriter, Value) -> Void) {
        key(name)
        if let value { write(&self, value) } else { null() }
    }

    public mutating func string(_ id: UUID) {
        var text: [UInt8] = []
        id.appendASCII(to: &text)
        string(utf8: text)
    }

    public mutating func string(_ instant: WallInstant) {
        var text: [UInt8] = []
        instant.append(to: &text)
        string(utf8: text)
    }
}
