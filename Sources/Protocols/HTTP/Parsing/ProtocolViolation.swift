/// What a peer did against the protocol or beyond a limit, and the status that answers it. The
/// connection is closed after the answer: where the next message starts is no longer sure.
public struct ProtocolViolation: Error, Equatable, Sendable {
    public let status: Status
    /// What was wrong, for the peer to read. A literal: nothing that was received is repeated.
    public let detail: String

    init(_ status: Status, _ detail: StaticString) {
        self.status = status
        self.detail = detail.description
    }

    init(_ detail: StaticString) {
        self.init(.badRequest, detail)
    }
}

/// What an incremental parser has made of the bytes so far.
public enum Parsed<Message> {
    /// All bytes are well formed, and the message is not complete.
    case needMore
    /// A message, and the number of bytes that it took.
    case complete(Message, consumed: Int)
    /// Nothing after this may be read as a message.
    case invalid(ProtocolViolation)
}
