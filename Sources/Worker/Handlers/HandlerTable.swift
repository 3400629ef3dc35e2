/// Which handler runs which type of job. Immutable: a changed handlers file makes a new table, and attempts under way
/// keep the handlers that they began with.
struct HandlerTable: Sendable {
    /// The handler of one exact type, or of all types that begin alike.
    enum Name: Hashable, Sendable, CustomStringConvertible {
        case type(String)
        /// Written `prefix*`; an empty prefix matches every type.
        case prefix(String)

        var description: String {
            switch self {
            case .type(let type): type
            case .prefix(let prefix): "\(prefix)*"
            }
        }
    }

    private let exact: [String: any Handler]
    /// The longest prefix first, so that the first match is the closest one.
    private let prefixes: [(prefix: String, handler: any Handler)]

    /// The built-in handlers, and over them those of `handlers`.
    init(_ handlers: [Name: any Handler], builtIn: [String: any Handler]) {
        var exact = builtIn
        var prefixes: [(prefix: String, handler: any Handler)] = []
        for (name, handler) in handlers {
            switch name {
            case .type(let type): exact[type] = handler
            case .prefix(let prefix): prefixes.append((prefix, handler))
            }
        }
        self.exact = exact
        self.prefixes = prefixes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
    }

    /// The handler with exactly this name; else the one with the longest prefix of it. nil when this worker cannot
    /// run the type.
    func handler(for type: String) -> (any Handler)? {
        if let handler = exact[type] { return handler }
        return prefixes.first { type.utf8.starts(with: $0.prefix.utf8) }?.handler
    }

    /// The program of the handler with exactly this name, or with the longest prefix of it; nil if there is none, or it
    /// is no program.
    func command(for name: String) -> ExecCommand? {
        (handler(for: name) as? ExecHandler)?.command
    }

    /// Everything that it has a handler for: `types` and `patterns`.
    var names: [String] { types + patterns }

    /// The types with a handler of their own, in order.
    var types: [String] { exact.keys.sorted() }

    /// The patterns, such as `hook.*`, in the order in which they are tried.
    var patterns: [String] { prefixes.map { "\(HandlerTable.Name.prefix($0.prefix))" } }
}
