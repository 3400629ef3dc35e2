/// A response. The server adds `Content-Length`, `Connection`, `Date` and `X-Request-Id`.
public struct Response: Sendable {
    public var status: Status
    /// Value of `Content-Type`; nil for a response without the field.
    public var contentType: MediaType?
    /// The content. Not sent in a response to HEAD, or with a status that forbids content.
    public var body: [UInt8]
    /// Complete, valid field lines with CRLF.
    private(set) var lines: [UInt8] = []

    public init(_ status: Status, contentType: MediaType? = nil, body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A response with a JSON text, and a newline at its end for those who read it in a terminal.
    public static func json(_ body: consuming [UInt8], status: Status = .ok) -> Response {
        if body.last != UInt8(ascii: "\n") { body.append(UInt8(ascii: "\n")) }
        return Response(status, contentType: .json, body: body)
    }

    /// A response with plain text in UTF-8.
    public static func text(_ text: String, status: Status = .ok) -> Response {
        Response(status, contentType: .plainText, body: Array(text.utf8))
    }

    /// Adds a field line. Throws if the server writes the field itself, or if the value contains anything but printable
    /// ASCII, spaces and tabs: a line end in it could start another field.
    public mutating func add(_ field: KnownField, _ value: String) throws(InvalidField) {
        guard !field.isReserved, field != .contentType else { throw InvalidField(name: field.name) }
        try lines.append(fieldLine: field.name, value)
    }

    /// Adds a field line by name. Throws also if the name is not a token (RFC 9110 section 5.6.2).
    public mutating func add(name: String, _ value: String) throws(InvalidField) {
        if let known = KnownField(name: name) { return try add(known, value) }
        guard !name.isEmpty, name.utf8.allSatisfy(\.isToken) else { throw InvalidField(name: name) }
        try lines.append(fieldLine: name, value)
    }
}

/// A header field that cannot be sent: the field is reserved, its name is not a token, or its value is not printable
/// ASCII.
public struct InvalidField: Error, Equatable, Sendable, CustomStringConvertible {
    public let name: String

    public var description: String { "the header field \"\(name)\" is reserved, or its name or value is invalid" }
}

/// A value of `Content-Type`.
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
    /// Appends `name: value` CRLF. The name must be a token. The value may contain printable ASCII, spaces and tabs;
    /// the other bytes that RFC 9110 section 5.5 allows have no agreed encoding.
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
