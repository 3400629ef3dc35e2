/// What a pause holds back.
public enum PauseScope: Hashable, Sendable {
    case all
    case queue(String)
    case type(String)

    /// `all`, `queue:NAME` or `type:NAME`; nil for anything else, and for an empty name. Whether the name may be one is
    /// for the caller to say.
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

    public var text: String {
        switch self {
        case .all: "all"
        case .queue(let name): "queue:" + name
        case .type(let name): "type:" + name
        }
    }
}
