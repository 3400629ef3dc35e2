/// The patterns of all routes as a tree of segments. At each segment a literal takes precedence over a parameter; if
/// the literal leads to no route for the method, the parameter is tried.
struct PathTree: Sendable {
    /// A position in the patterns, after a common prefix.
    private struct Node: Sendable {
        var literals: [Literal] = []
        /// Index of the node after a parameter segment.
        var parameter: Int?
        /// Routes whose pattern ends here.
        var routes: [MethodRoute] = []
        /// Methods of `routes`, with HEAD and OPTIONS where they are implied.
        var allowed: MethodSet = []
    }

    private struct Literal: Sendable {
        var text: [UInt8]
        var node: Int
    }

    private struct MethodRoute: Sendable {
        var method: Method
        var index: Int
    }

    private var nodes = [Node()]

    /// Adds a route. Returns the names of the pattern's parameters.
    /// - Precondition: the pattern is well formed, and the method is not registered for it.
    mutating func insert(_ pattern: String, _ method: Method, index: Int) -> [String] {
        var names: [String] = []
        let node = insert(pattern, &names)
        precondition(Set(names).count == names.count, "\(pattern) names a parameter twice")
        precondition(!nodes[node].allowed.contains(MethodSet(method)), "\(method) \(pattern) is registered twice")
        nodes[node].routes.append(MethodRoute(method: method, index: index))
        nodes[node].allowed.formUnion([MethodSet(method), MethodSet(.options)])
        if method == .get { nodes[node].allowed.insert(MethodSet(.head)) }
        return names
    }

    private mutating func insert(_ pattern: String, _ names: inout [String]) -> Int {
        let bytes = Array(pattern.utf8)
        precondition(bytes.first == UInt8(ascii: "/"), "\(pattern) does not start with a slash")
        var node = 0
        guard bytes.count > 1 else { return node }
        for segment in bytes.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            precondition(!segment.isEmpty, "\(pattern) has an empty segment")
            if segment.first == UInt8(ascii: "{") {
                precondition(segment.last == UInt8(ascii: "}") && segment.count > 2, "\(pattern): malformed parameter")
                names.append(String(decoding: segment.dropFirst().dropLast(), as: UTF8.self))
                node = parameterNode(after: node)
            } else {
                precondition(segment.allSatisfy(\.isPath), "\(pattern) is not a path")
                node = literalNode(Array(segment), after: node)
            }
        }
        return node
    }

    private mutating func parameterNode(after node: Int) -> Int {
        if let known = nodes[node].parameter { return known }
        nodes.append(Node())
        nodes[node].parameter = nodes.count - 1
        return nodes.count - 1
    }

    private mutating func literalNode(_ text: [UInt8], after node: Int) -> Int {
        if let known = nodes[node].literals.first(where: { $0.text == text }) { return known.node }
        nodes.append(Node())
        nodes[node].literals.append(Literal(text: text, node: nodes.count - 1))
        return nodes.count - 1
    }

    /// The input and state of one search.
    struct Search {
        let bytes: [UInt8]
        let path: ByteRange
        let hasEscapes: Bool
        let method: Method
        /// Segments matched by parameters so far.
        var values: [ByteRange] = []
        /// Methods of all patterns visited so far that match the whole path.
        var allowed: MethodSet = []

        init(_ head: RequestHead) {
            bytes = head.fields.bytes
            path = head.target.path
            hasEscapes = head.target.pathHasEscapes
            method = head.method == .head ? .get : head.method
        }

        func segment(_ range: ByteRange, equals text: [UInt8]) -> Bool {
            if hasEscapes { return percentDecoded(bytes[range.indices()]) == text }
            guard range.count == text.count else { return false }
            var index = range.lowerBound
            for byte in text {
                guard bytes[index] == byte else { return false }
                index += 1
            }
            return true
        }
    }

    /// The index of the route for the path and method; nil without one, and then `search.allowed` has the methods that
    /// the path accepts.
    func find(_ search: inout Search) -> Int? {
        find(0, search.path.lowerBound, &search)
    }

    /// The index of the route for the rest of the path from `position`, which is a slash or the end of the path.
    private func find(_ node: Int, _ position: Int, _ search: inout Search) -> Int? {
        let isRoot = position == search.path.lowerBound && search.path.count <= 1
        if position == search.path.upperBound || isRoot {
            search.allowed.formUnion(nodes[node].allowed)
            guard nodes[node].allowed.contains(MethodSet(search.method)) else { return nil }
            return nodes[node].routes.first { $0.method == search.method }?.index
        }
        var end = position + 1
        while end < search.path.upperBound, search.bytes[end] != UInt8(ascii: "/") { end += 1 }
        let segment = ByteRange(position + 1, end)
        for literal in nodes[node].literals where search.segment(segment, equals: literal.text) {
            if let route = find(literal.node, end, &search) { return route }
        }
        guard let parameter = nodes[node].parameter, !segment.isEmpty else { return nil }
        search.values.append(segment)
        if let route = find(parameter, end, &search) { return route }
        search.values.removeLast()
        return nil
    }
}
