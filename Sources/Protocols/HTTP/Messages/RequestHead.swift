/// The head of a valid request.
public struct RequestHead: Sendable {
    public let method: Method
    public let version: Version
    public let fields: MessageFields
    let target: RequestTarget
    let framing: Framing
    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 section 10.1.1).
    public let expectsContinue: Bool

    /// The path with its leading slash, percent-encoded as received; "*" for `OPTIONS *`.
    public var path: String {
        if target.isAsterisk { return "*" }
        if target.path.isEmpty { return "/" }
        return String(decoding: fields.bytes[target.path.indices()], as: UTF8.self)
    }

    /// The query without its question mark, percent-encoded as received; nil without a question mark.
    public var query: String? {
        target.query.map { String(decoding: fields.bytes[$0.indices()], as: UTF8.self) }
    }

    /// Host and port to which the request is addressed: from an absolute target (RFC 9112 section 3.2.2), else from the
    /// Host field; nil for HTTP/1.0 without either.
    public var authority: String? {
        if let range = target.authority { return String(decoding: fields.bytes[range.indices()], as: UTF8.self) }
        return fields.text(.host)
    }

    /// Whether a body follows the head.
    public var hasBody: Bool { framing.isChunked || (framing.contentLength ?? 0) > 0 }

    /// The value of `Content-Length`, in bytes; nil without one.
    public var contentLength: Int? { framing.contentLength }

    /// Whether the client may send another request on this connection (RFC 9112 section 9.3).
    public var keepsAlive: Bool { framing.keepsAlive(version) }
}
