/// A violation of the protocol or of a limit by a peer. The connection is closed after the response, because the start
/// of the next message is unknown.
public struct ProtocolViolation: Error, Equatable, Sendable {
    /// Status of the response to the violation.
    public let status: Status
    /// What was wrong, for the peer. A literal, so that no received bytes are repeated.
    public let detail: String

    init(_ status: Status, _ detail: StaticString) {
        self.status = status
        self.detail = detail.description
    }

    init(_ detail: StaticString) {
        self.init(.badRequest, detail)
    }
}

/// The result of an incremental parser.
public enum Parsed<Message> {
    /// The bytes so far are well formed; the message is not complete.
    case needMore
    /// A complete message, and the number of bytes it occupied.
    case complete(Message, consumed: Int)
    /// The bytes are malformed. The parser must not be used again.
    case invalid(ProtocolViolation)
}
