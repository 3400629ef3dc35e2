/// A request to be sent. The client adds what frames it: `Host`, `Content-Length`.
public struct ClientRequest: Sendable {
    public let method: Method
    /// Path and query, escaped.
    public let target: String
    public var contentType: MediaType?
    public var body: [UInt8]
    /// Whether it may be sent a second time when a kept connection ends without an answer. True for the methods that
    /// RFC 9110 section 9.2.2 calls idempotent; a request whose receiver knows repetitions may say so itself.
    public var mayBeRepeated: Bool
    private(set) var lines: [UInt8] = []

    /// - Precondition: `method` is not CONNECT, whose answer is no message.
    public init(_ method: Method, _ target: String, contentType: MediaType? = nil, body: [UInt8] = []) {
        precondition(method != .connect, "CONNECT opens a tunnel, which this client does not")
        self.method = method
        self.target = target
        self.contentType = contentType
        self.body = body
        mayBeRepeated = method.isIdempotent
    }

    /// Adds a field line. Throws when the name is no token, when the value holds a control character, or when the
    /// field is one that the client writes itself.
    public mutating func add(name: String, _ value: String) throws(InvalidField) {
        guard !name.isEmpty, name.utf8.allSatisfy(\.isToken) else { throw InvalidField(name: name) }
        // An id is the server's to echo, and the client's to choose.
        if let known = KnownField(name: name), known.isWrittenByUs || known == .contentType, known != .xRequestID {
            throw InvalidField(name: name)
        }
        try lines.append(fieldLine: name, value)
    }

    public mutating func add(_ field: KnownField, _ value: String) throws(InvalidField) {
        try add(name: field.name, value)
    }

    /// Head and body as they are sent. Throws when target or host could break the request line or the head.
    func bytes(for origin: Origin) throws(ClientError) -> [UInt8] {
        let targetBytes = Array(target.utf8)
        guard !targetBytes.isEmpty, targetBytes.count <= Int(UInt16.max),
            (try? RequestTarget(targetBytes.span, from: 0, ByteRange(0, targetBytes.count), method: method)) != nil
        else { throw .invalidRequest("the target is not a path and query") }
        let host = Array(origin.hostValue.utf8)
        guard isAuthority(host.span, host.indices, mayBeEmpty: false) else {
            throw .invalidRequest("the host is not a host name or address")
        }
        var out: [UInt8] = []
        out.reserveCapacity(256 + lines.count + body.count)
        out.append(contentsOf: method.description.utf8)
        out.append(.space)
        out.append(contentsOf: targetBytes)
        out.append(contentsOf: " HTTP/1.1\r\nHost: ".utf8)
        out.append(contentsOf: host)
        out.append(contentsOf: "\r\n".utf8)
        if let contentType {
            out.append(contentsOf: "Content-Type: ".utf8)
            out.append(contentsOf: contentType.text.utf8)
            out.append(contentsOf: "\r\n".utf8)
        }
        // A POST without content says so (RFC 9110 section 8.6).
        if !body.isEmpty || method == .post || method == .put || method == .patch {
            out.append(contentsOf: "Content-Length: ".utf8)
            out.append(decimal: body.count)
            out.append(contentsOf: "\r\n".utf8)
        }
        out.append(contentsOf: lines)
        out.append(contentsOf: "\r\n".utf8)
        out.append(contentsOf: body)
        return out
    }
}

/// What a server answered. Any status is an answer: redirections are not followed.
public struct ClientResponse: Sendable {
    public let status: Status
    public let fields: MessageFields
    public let body: [UInt8]
}

/// Why there is no answer.
public enum ClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The request cannot be sent as it is. Nothing was sent.
    case invalidRequest(String)
    /// No connection came about. Nothing was sent.
    case notConnected(String)
    /// The deadline passed; the server may have done what was asked.
    case timedOut
    /// The connection ended before the answer was whole; the server may have done what was asked.
    case disconnected(String)
    /// The answer is no HTTP/1.1, or goes beyond a limit.
    case invalidResponse(String)
    case bodyTooLarge(bytesMax: Int)

    public var description: String {
        switch self {
        case .invalidRequest(let reason): "the request cannot be sent: \(reason)"
        case .notConnected(let reason): "cannot connect: \(reason)"
        case .timedOut: "no answer in time"
        case .disconnected(let reason): "the connection ended before the answer was whole: \(reason)"
        case .invalidResponse(let reason): "the answer is no valid HTTP/1.1: \(reason)"
        case .bodyTooLarge(let bytesMax): "the answer is longer than \(bytesMax) bytes"
        }
    }
}
