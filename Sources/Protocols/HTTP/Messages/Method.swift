/// The methods of RFC 9110 section 9, PATCH (RFC 5789) and QUERY (draft-ietf-httpbis-safe-method-w-body). A request
/// with any other method is answered with 501.
public enum Method: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case get, head, post, put, patch, delete, options, trace, connect, query

    public var description: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .query: "QUERY"
        }
    }

    /// The method with this name, case-sensitive (RFC 9110 section 9.1).
    init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard range.count > 0 else { return nil }
        let candidate: Method
        switch (range.count, bytes[range.lowerBound]) {
        case (3, UInt8(ascii: "G")): candidate = .get
        case (4, UInt8(ascii: "P")): candidate = .post
        case (3, UInt8(ascii: "P")): candidate = .put
        case (4, UInt8(ascii: "H")): candidate = .head
        case (6, UInt8(ascii: "D")): candidate = .delete
        case (5, UInt8(ascii: "P")): candidate = .patch
        case (7, UInt8(ascii: "O")): candidate = .options
        case (5, UInt8(ascii: "T")): candidate = .trace
        case (7, UInt8(ascii: "C")): candidate = .connect
        case (5, UInt8(ascii: "Q")): candidate = .query
        default: return nil
        }
        var index = range.lowerBound
        for byte in candidate.description.utf8 {
            guard bytes[index] == byte else { return nil }
            index += 1
        }
        self = candidate
    }
}

/// The supported protocol versions (RFC 9112 section 2.3).
public enum Version: UInt8, Sendable, CustomStringConvertible {
    case http10, http11

    public var description: String { self == .http11 ? "HTTP/1.1" : "HTTP/1.0" }
}
