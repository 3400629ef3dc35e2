/// The parameters of a query in the format `application/x-www-form-urlencoded` (WHATWG URL section 5): pairs separated
/// by `&`, `+` for a space, `%XX` for other bytes. Names and values must be UTF-8, and each pair must have a name.
/// `QueryReader` reads the values.
public struct Query: Sendable, Equatable {
    public struct Item: Sendable, Equatable {
        public let name: String
        /// Empty for a name without `=`.
        public let value: String
    }

    /// All pairs in the order received.
    public let items: [Item]

    init(_ bytes: ArraySlice<UInt8>) throws(Problem) {
        var items: [Item] = []
        for pair in bytes.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let rest = equals < pair.endIndex ? pair[(equals + 1)...] : pair[pair.endIndex...]
            guard let name = percentDecodedText(pair[..<equals], plusIsSpace: true),
                let value = percentDecodedText(rest, plusIsSpace: true)
            else { throw Problem(.badRequest, "the query is not percent-encoded UTF-8") }
            guard !name.isEmpty else { throw Problem(.badRequest, "the query has a parameter without a name") }
            items.append(Item(name: name, value: value))
        }
        self.items = items
    }
}
