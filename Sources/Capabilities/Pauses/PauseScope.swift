internal import JSON

/// The jobs that a pause holds back.
public enum PauseScope: Hashable, Sendable {
    case all
    case queue(String)
    case type(String)

    /// What `init(input:)` accepts.
    public static let requirement = "must be all, queue:NAME or type:NAME"

    /// Reads `all`, `queue:NAME` or `type:NAME`, as PostgreSQL stores it; nil for anything else. The name may be any
    /// text that is not empty.
    public init?(_ text: String) {
        if text == "all" {
            self = .all
        } else if text.hasPrefix("queue:"), text.utf8.count > 6 {
            self = .queue(String(text.dropFirst(6)))
        } else if text.hasPrefix("type:"), text.utf8.count > 5 {
            self = .type(String(text.dropFirst(5)))
        } else {
            return nil
        }
    }

    /// Reads a scope from outside; nil also for a name that no queue or type can have.
    public init?(input text: String) {
        self.init(text)
        switch self {
        case .all: break
        case .queue(let name), .type(let name): guard TextRule.name.accepts(name) else { return nil }
        }
    }

    public var text: String {
        switch self {
        case .all: "all"
        case .queue(let name): "queue:" + name
        case .type(let name): "type:" + name
        }
    }
}
