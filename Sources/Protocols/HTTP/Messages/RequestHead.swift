/// The head of a request that has passed every check of the parser.
public struct RequestHead: Sendable {
    public let method: Method
    public let version: Version
    public let fields: MessageFields
    let target: RequestTarget
    let framing: Framing
    /// The client waits for 100 (Continue) before it sends the body (RFC 9110 section 10.1.1).
    public let expectsContinue: Bool

    /// The path, escaped as it was sent, with its leading slash; "*" for `OPTIONS *`.
    public var path: String {
        if target.isAsterisk { return "*" }
        if target.path.isEmpty { return "/" }
        return String(decoding: fields.bytes[target.path.indices()], as: UTF8.self)
    }

    /// The query, escaped as it was sent, without its question mark; nil without one.
    public var query: String? {
        target.query.map { String(decoding: fields.bytes[$0.indices()], as: UTF8.self) }
    }

    /// Host and port that the request was meant for: of an absolute target if it has one (RFC 9112
    /// section 3.2.2), else of the Host field; nil for HTTP/1.0 without either.
    public var authority: String? {
        if let range = target.authority { return String(decoding: fields.bytes[range.indices()], as: UTF8.self) }
        return fields.text(.host)
    }

    /// Whether a body follows the head.
    public var hasBody: Bool { framing.isChunked || (framing.contentLength ?? 0) > 0 }

    /// The length of the body, if it was said in advance.
    public var contentLength: Int? { framing.contentLength }

    /// Whether the client would send another request on this connection.
    public var keepsAlive: Bool { framing.keepsAlive(version) }
}
