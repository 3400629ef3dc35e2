/// A request to send. The client adds `Host` and `Content-Length`.
public struct ClientRequest: Sendable {
    public let method: Method
    /// Path and query, percent-encoded.
    public let target: String
    public var contentType: MediaType?
    public var body: [UInt8]
    /// Whether the request may be sent a second time after a reused connection ended without a response. By default
    /// true for idempotent methods (RFC 9110 section 9.2.2). May be set for a receiver that recognises repetitions.
    public var mayBeRepeated: Bool
    /// Complete, valid field lines with CRLF.
    private(set) var lines: [UInt8] = []

    /// - Precondition: `method` is not CONNECT, which opens a tunnel.
    public init(_ method: Method, _ target: String, contentType: MediaType? = nil, body: [UInt8] = []) {
        precondition(method != .connect, "CONNECT is not supported")
        self.method = method
        self.target = target
        self.contentType = contentType
        self.body = body
        mayBeRepeated = method.isIdempotent
    }

    /// Adds a field line. Throws if the name is not a token, if the value contains anything but printable ASCII, spaces
    /// and tabs, or if the client writes the field itself.
    public mutating func add(name: String, _ value: String) throws(InvalidField) {
        guard !name.isEmpty, name.utf8.allSatisfy(\.isToken) else { throw InvalidField(name: name) }
        // X-Request-Id is reserved in responses only: a client may choose it.
        if let known = KnownField(name: name), known.isReserved || known == .contentType, known != .xRequestID {
            throw InvalidField(name: name)
        }
        try lines.append(fieldLine: name, value)
    }

    /// Adds a field line, with the conditions of `add(name:_:)`.
    public mutating func add(_ field: KnownField, _ value: String) throws(InvalidField) {
        try add(name: field.name, value)
    }

    /// The serialised head and body. Throws if the target or the host is malformed.
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
        // A request with a method that usually has content declares a length of 0 (RFC 9110 section 8.6).
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

/// The final response to a request, with any status: redirects are not followed.
public struct ClientResponse: Sendable {
    public let status: Status
    public let fields: MessageFields
    public let body: [UInt8]
}

/// Why a request got no valid response.
public enum ClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The request is malformed. Nothing was sent.
    case invalidRequest(String)
    /// The connection could not be opened. Nothing was sent.
    case notConnected(String)
    /// The deadline passed. The server may have processed the request.
    case timedOut
    /// The connection ended before the response was complete. The server may have processed the request.
    case disconnected(String)
    /// The response is not valid HTTP/1.1, or exceeds a limit of its head.
    case invalidResponse(String)
    /// The response body exceeds `ClientLimits.bodyBytesMax`.
    case bodyTooLarge(bytesMax: Int)

    public var description: String {
        switch self {
        case .invalidRequest(let reason): "invalid request: \(reason)"
        case .notConnected(let reason): "cannot connect: \(reason)"
        case .timedOut: "no response in time"
        case .disconnected(let reason): "the connection ended before the response was complete: \(reason)"
        case .invalidResponse(let reason): "the response is not valid HTTP/1.1: \(reason)"
        case .bodyTooLarge(let bytesMax): "the response body is longer than \(bytesMax) bytes"
        }
    }
}
