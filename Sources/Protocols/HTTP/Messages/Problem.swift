internal import JSON

/// A problem document (RFC 9457): an error response for the client. A handler throws it, the server sends it.
public struct Problem: Error, Equatable, Sendable {
    /// One error in the input, with its location.
    public struct InvalidInput: Equatable, Sendable {
        public enum Location: Equatable, Sendable {
            /// A JSON pointer (RFC 6901) into the body; empty for the whole body.
            case pointer(String)
            /// The name of a query or path parameter.
            case parameter(String)
        }

        public var location: Location
        public var detail: String

        public init(_ location: Location, _ detail: String) {
            self.location = location
            self.detail = detail
        }

        /// With a location of at most `Problem.locationBytesMax` bytes; the end of a longer one is replaced by `...`.
        fileprivate var shortened: InvalidInput {
            switch location {
            case .pointer(let text): InvalidInput(.pointer(Self.shortened(text)), detail)
            case .parameter(let text): InvalidInput(.parameter(Self.shortened(text)), detail)
            }
        }

        private static func shortened(_ text: String) -> String {
            guard text.utf8.count > Problem.locationBytesMax else { return text }
            // The cut may be inside a character, which then becomes U+FFFD.
            return String(decoding: text.utf8.prefix(Problem.locationBytesMax), as: UTF8.self) + "..."
        }

        /// The bytes that it takes in the document, or somewhat more.
        fileprivate var writtenBytes: Int {
            let location =
                switch location {
                case .pointer(let text), .parameter(let text): text
                }
            return 40
                + [location, detail].reduce(0) {
                    $1.utf8.reduce($0) { $0 + ($1 < 0x20 || $1 == 0x7F ? 6 : $1 == 0x22 || $1 == 0x5C ? 2 : 1) }
                }
        }
    }

    /// Maximum number of bytes of the errors of a problem: an answer is not much longer than the input that it is
    /// about. Beyond, errors are only counted.
    private static let errorsBytesMax = 16_384
    /// Maximum length of the location of an error.
    fileprivate static let locationBytesMax = 256

    /// The value of an extension member.
    public enum Member: Equatable, Sendable {
        case string(String)
        case integer(Int)
        case boolean(Bool)
        /// A complete JSON text, written unchanged.
        case json([UInt8])
    }

    /// A header field of the response.
    public struct Field: Equatable, Sendable {
        public var field: KnownField
        public var value: String
    }

    /// A member of the document beyond those of RFC 9457 and `errors`.
    public struct ExtensionMember: Equatable, Sendable {
        public var name: String
        public var value: Member
    }

    public var status: Status
    /// A URI that identifies the type of problem; `about:blank` means no more than the status.
    public var type: String
    /// Summary of the type; the same for every problem of the type. The default is the reason phrase of the status.
    public var title: String
    /// What was wrong in this request, and what is accepted.
    public var detail: String?
    /// All errors in the input, not only the first.
    public var errors: [InvalidInput]
    public private(set) var members: [ExtensionMember] = []
    public private(set) var fields: [Field] = []

    public init(
        _ status: Status, _ detail: String? = nil, type: String = "about:blank", title: String? = nil,
        errors: [InvalidInput] = []
    ) {
        self.status = status
        self.type = type
        self.title = title ?? status.reason
        self.detail = detail
        self.errors = errors
    }

    init(_ violation: ProtocolViolation) {
        self.init(violation.status, violation.detail)
    }

    /// A copy with an extension member (RFC 9457 section 3.2).
    /// - Precondition: `name` is not a standard member.
    public func with(_ name: String, _ value: Member) -> Problem {
        precondition(
            !["type", "title", "status", "detail", "instance", "errors"].contains(name), "\(name) is a standard member")
        var copy = self
        copy.members.append(ExtensionMember(name: name, value: value))
        return copy
    }

    /// A copy with a header field for the response, such as `Retry-After` or `WWW-Authenticate`.
    public func with(_ field: KnownField, _ value: String) -> Problem {
        var copy = self
        copy.fields.append(Field(field: field, value: value))
        return copy
    }

    /// The errors of a part of the request: `the query has 2 errors`. At least one is listed, and as many as fit
    /// 16 KiB.
    ///
    /// - Parameters:
    ///   - part: for example `query` or `body`.
    ///   - count: the number of all errors, of which `errors` may be the first ones.
    public static func invalid(_ part: String, _ status: Status, _ errors: [InvalidInput], count: Int) -> Problem {
        var listed: [InvalidInput] = []
        var bytes = 0
        for error in errors.lazy.map(\.shortened) {
            bytes += error.writtenBytes
            guard listed.isEmpty || bytes <= errorsBytesMax else { break }
            listed.append(error)
        }
        var detail = "the \(part) has \(count == 1 ? "an error" : "\(count) errors")"
        if listed.count < count { detail += "; the first \(listed.count) are listed" }
        return Problem(status, detail, errors: listed)
    }

    /// 503 with `Retry-After`. A negative number of seconds becomes 0.
    public static func unavailable(_ detail: String, retryAfterSeconds: Int) -> Problem {
        Problem(.serviceUnavailable, detail).with(.retryAfter, String(max(retryAfterSeconds, 0)))
    }

    /// The response with the problem document. Throws if a header field is reserved or has an invalid value.
    public func response() throws(InvalidField) -> Response {
        var response = Response(status, contentType: .problem, body: document() + [UInt8(ascii: "\n")])
        for field in fields { try response.add(field.field, field.value) }
        return response
    }

    private func document() -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.member("type", type)
        writer.member("title", title)
        writer.member("status", status.code)
        if let detail { writer.member("detail", detail) }
        if !errors.isEmpty {
            writer.key("errors")
            writer.beginArray()
            for error in errors {
                writer.beginObject()
                switch error.location {
                case .pointer(let pointer): writer.member("pointer", pointer)
                case .parameter(let name): writer.member("parameter", name)
                }
                writer.member("detail", error.detail)
                writer.endObject()
            }
            writer.endArray()
        }
        for member in members {
            switch member.value {
            case .string(let value): writer.member(member.name, value)
            case .integer(let value): writer.member(member.name, value)
            case .boolean(let value): writer.member(member.name, value)
            case .json(let text):
                writer.key(member.name)
                writer.raw(text)
            }
        }
        writer.endObject()
        return writer.finish()
    }
}
