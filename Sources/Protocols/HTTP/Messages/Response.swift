/// An answer. The server adds what frames it: `Content-Length`, `Connection`, `Date`, `X-Request-Id`.
public struct Response: Sendable {
    public var status: Status
    public var contentType: MediaType?
    /// Sent as it is. A response to HEAD, and one whose status forbids content, is sent without it.
    public var body: [UInt8]
    /// Whole field lines with CRLF, all of them checked.
    private(set) var lines: [UInt8] = []

    public init(_ status: Status, contentType: MediaType? = nil, body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A JSON text.
    public static func json(_ body: [UInt8], status: Status = .ok) -> Response {
        Response(status, contentType: .json, body: body)
    }

    /// Text for people.
    public static func text(_ text: String, status: Status = .ok) -> Response {
        Response(status, contentType: .plainText, body: Array(text.utf8))
    }

    /// Adds a field line. Throws when the value holds a control character, which could end the line and start
    /// another one, or when the field is one that the server writes itself.
    public mutating func add(_ field: KnownField, _ value: String) throws(InvalidField) {
        guard !field.isWrittenByUs, field != .contentType else { throw InvalidField(name: field.name) }
        try lines.append(fieldLine: field.name, value)
    }

    /// Adds a field line with a name that is not known here. Throws also when the name is no token.
    public mutating func add(name: String, _ value: String) throws(InvalidField) {
        if let known = KnownField(name: name) { return try add(known, value) }
        guard !name.isEmpty, name.utf8.allSatisfy(\.isToken) else { throw InvalidField(name: name) }
        try lines.append(fieldLine: name, value)
    }
}

/// A field that may not be sent: its name or value would break the message, or it frames the message.
public struct InvalidField: Error, Equatable, Sendable, CustomStringConvertible {
    public let name: String

    public var description: String { "the field \"\(name)\" may not be set, or not to this value" }
}

/// The value of a `Content-Type`.
public struct MediaType: Hashable, Sendable {
    let text: String

    public static let json = MediaType("application/json")
    public static let problem = MediaType("application/problem+json")
    public static let plainText = MediaType("text/plain; charset=utf-8")

    /// - Precondition: `text` is one line of ASCII.
    public init(_ text: String) {
        precondition(text.utf8.allSatisfy { $0.isFieldText && $0 < 0x80 }, "not a media type")
        self.text = text
    }
}

extension [UInt8] {
    /// Appends `name: value` CRLF. The name must be a token. The value may hold printable ASCII, spaces and tabs:
    /// what else RFC 9110 section 5.5 tolerates has no common meaning.
    mutating func append(fieldLine name: String, _ value: String) throws(InvalidField) {
        let bytes = value.utf8Span.span
        for index in bytes.indices where !bytes[index].isFieldText || bytes[index] >= 0x80 {
            throw InvalidField(name: name)
        }
        if isEmpty { reserveCapacity(name.utf8.count + bytes.count + 4) }
        append(contentsOf: name.utf8)
        append(contentsOf: ": ".utf8)
        append(contentsOf: value.utf8)
        append(contentsOf: "\r\n".utf8)
    }
}
