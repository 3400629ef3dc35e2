/// The parameters of a query in the format `application/x-www-form-urlencoded` (WHATWG URL section 5): pairs separated
/// by `&`, `+` for a space, `%XX` for other bytes. Names and values must be UTF-8, and each pair must have a name.
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

    /// The value of a parameter; nil if it is missing. Throws 400 if it is given more than once.
    public func value(_ name: String) throws(Problem) -> String? {
        let values = values(name)
        guard values.count <= 1 else {
            throw Problem(.badRequest, errors: [.init(.parameter(name), "is given more than once")])
        }
        return values.first
    }

    /// The values of a repeatable parameter, in the order received.
    public func values(_ name: String) -> [String] {
        // Names are compared as bytes: `==` on String treats canonically equivalent texts as equal.
        items.filter { $0.name.utf8.elementsEqual(name.utf8) }.map(\.value)
    }

    /// Throws 400, with an error for each parameter that is not in `names`.
    public func require(onlyNames names: [String]) throws(Problem) {
        let unknown = items.filter { item in !names.contains { $0.utf8.elementsEqual(item.name.utf8) } }
        guard unknown.isEmpty else {
            let accepted = "is not a known parameter; known parameters: \(names.joined(separator: ", "))"
            throw Problem(
                .badRequest, "the query has unknown parameters",
                errors: unknown.map { .init(.parameter($0.name), accepted) })
        }
    }
}
