extension SettingsReader {
    /// `DATABASE_SCHEMA`. Limited to 48 characters that need no quoting, because channel names are derived from it.
    public mutating func databaseSchema() -> String {
        string(
            "DATABASE_SCHEMA", default: "jobqueue", help: "The schema of the tables. The migrations create it.",
            accepts: "a name of a-z, 0-9 and _, not longer than 48", where: Self.isSchemaName)
    }

    private static func isSchemaName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= 48, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
