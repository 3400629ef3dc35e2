internal import Jobs

/// The handlers by job type. Immutable: a changed handlers file gives a new table, and running attempts keep the
/// handler that they started with.
struct HandlerTable: Sendable {
    /// A name in the handlers file: an exact type, or the common prefix of types.
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
    /// The names of the handlers with `Takeover.lease`. A type that also has a handler of its own keeps its lease too.
    let keptNames: [String]
    /// Sorted by length, longest first, so that the first match is the longest.
    private let prefixes: [(prefix: String, handler: any Handler)]

    /// The built-in handlers, overridden by `handlers`.
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
        keptNames = handlers.filter { $0.value.takeover == .lease }.map { "\($0.key)" }.sorted()
        self.prefixes = prefixes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
    }

    /// The handler of exactly this type; otherwise the one with the longest matching prefix. nil: this worker has no
    /// handler for the type.
    func handler(for type: String) -> (any Handler)? {
        if let handler = exact[type] { return handler }
        return prefixes.first { type.utf8.starts(with: $0.prefix.utf8) }?.handler
    }

    /// The command of the handler that `handler(for:)` finds; nil if there is none, or if it is not a program.
    func command(for name: String) -> ExecCommand? {
        (handler(for: name) as? ExecHandler)?.command
    }

    /// `types` and `patterns`.
    var names: [String] { types + patterns }

    /// The exact types, sorted.
    var types: [String] { exact.keys.sorted() }

    /// The patterns, such as `hook.*`, in the order in which they are matched.
    var patterns: [String] { prefixes.map { "\(HandlerTable.Name.prefix($0.prefix))" } }
}
