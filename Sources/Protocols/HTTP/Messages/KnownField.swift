/// The header fields that the server, the client or the API uses. They are recognised while a head is parsed, so that a
/// later lookup compares a byte instead of a name.
public enum KnownField: UInt8, Sendable, CaseIterable {
    case accept
    case allow
    case authorization
    case cacheControl
    case connection
    case contentEncoding
    case contentLength
    case contentType
    case date
    case expect
    case host
    case idempotencyKey
    case ifMatch
    case ifNoneMatch
    case location
    case retryAfter
    case tracestate
    case traceparent
    case trailer
    case transferEncoding
    case upgrade
    case userAgent
    case wwwAuthenticate
    case xForwardedFor
    case xRequestID

    /// The name as it is written in a message.
    public var name: String {
        switch self {
        case .accept: "Accept"
        case .allow: "Allow"
        case .authorization: "Authorization"
        case .cacheControl: "Cache-Control"
        case .connection: "Connection"
        case .contentEncoding: "Content-Encoding"
        case .contentLength: "Content-Length"
        case .contentType: "Content-Type"
        case .date: "Date"
        case .expect: "Expect"
        case .host: "Host"
        case .idempotencyKey: "Idempotency-Key"
        case .ifMatch: "If-Match"
        case .ifNoneMatch: "If-None-Match"
        case .location: "Location"
        case .retryAfter: "Retry-After"
        case .tracestate: "tracestate"
        case .traceparent: "traceparent"
        case .trailer: "Trailer"
        case .transferEncoding: "Transfer-Encoding"
        case .upgrade: "Upgrade"
        case .userAgent: "User-Agent"
        case .wwwAuthenticate: "WWW-Authenticate"
        case .xForwardedFor: "X-Forwarded-For"
        case .xRequestID: "X-Request-Id"
        }
    }

    /// Whether the field frames a message or is added by the message writers. Callers may not set it: a message could
    /// otherwise declare two different lengths.
    var isReserved: Bool {
        switch self {
        case .connection, .contentLength, .date, .host, .trailer, .transferEncoding, .upgrade, .xRequestID, .expect:
            true
        default: false
        }
    }

    /// The field with this name, in any case; nil for a field that is not listed. `name` contains token bytes only.
    init?(_ bytes: Span<UInt8>, _ name: Range<Int>) {
        guard let found = KnownFieldTable.shared.field(bytes, name) else { return nil }
        self = found
    }

    /// The field with this name, in any case; nil for a field that is not listed.
    public init?(name: String) {
        let bytes = Array(name.utf8)
        self.init(bytes.span, bytes.indices)
    }
}

/// Names in lower case, grouped by length, so that a name is compared with the few known ones of its length.
private struct KnownFieldTable: Sendable {
    private struct Entry {
        var field: KnownField
        var nameStart: Int
    }

    static let shared = KnownFieldTable()

    private var entries: [Entry] = []
    private var names: [UInt8] = []
    /// `entries[firstOfLength[n]..<firstOfLength[n + 1]]` have names of n bytes.
    private var firstOfLength: [Int] = []

    private init() {
        let longest = KnownField.allCases.map(\.name.utf8.count).max() ?? 0
        for length in 0...longest {
            firstOfLength.append(entries.count)
            for field in KnownField.allCases where field.name.utf8.count == length {
                entries.append(Entry(field: field, nameStart: names.count))
                names.append(contentsOf: field.name.utf8.map(\.lowercased))
            }
        }
        firstOfLength.append(entries.count)
    }

    func field(_ bytes: Span<UInt8>, _ name: Range<Int>) -> KnownField? {
        let length = name.count
        guard length + 1 < firstOfLength.count else { return nil }
        candidates: for index in firstOfLength[length]..<firstOfLength[length + 1] {
            let entry = entries[index]
            for offset in 0..<length
            where bytes[name.lowerBound + offset].lowercased != names[entry.nameStart + offset] {
                continue candidates
            }
            return entry.field
        }
        return nil
    }
}
