public import EventLoop
public import Telemetry

/// A complete request, as passed to a handler.
public struct Request: Sendable {
    public let head: RequestHead
    /// The content, without the chunked coding; empty without a body.
    public let body: [UInt8]
    let parameters: PathParameters

    public var method: Method { head.method }
    public var fields: MessageFields { head.fields }

    /// The path segment that matched `{name}` in the pattern, percent-decoded. Throws 400 if it is not UTF-8.
    /// - Precondition: the route's pattern contains `{name}`.
    public func parameter(_ name: String) throws(Problem) -> String {
        guard let index = parameters.names.firstIndex(of: name) else {
            preconditionFailure("the route has no parameter {\(name)}")
        }
        let raw = head.fields.bytes[parameters.values[index].indices()]
        guard let text = percentDecodedText(raw) else {
            throw Problem(.badRequest, errors: [.init(.parameter(name), "is not percent-encoded UTF-8")])
        }
        return text
    }

    /// The parameters of the query; empty without a query. Throws 400 if the query is malformed.
    public func query() throws(Problem) -> Query {
        guard let range = head.target.query else { return try Query([]) }
        return try Query(head.fields.bytes[range.indices()])
    }
}

/// The parameters of a pattern, and the ranges of the path that matched them.
struct PathParameters: Sendable {
    var names: [String] = []
    var values: [ByteRange] = []
}

/// The authenticated sender of a request, as identified by the authorizer.
public struct Caller: Sendable, Equatable {
    /// Name for audit and log entries. Not a secret.
    public let name: String
    /// Scopes granted to the caller.
    public let scopes: [String]

    public init(name: String, scopes: [String]) {
        self.name = name
        self.scopes = scopes
    }
}

/// The circumstances of a request, as passed to a handler.
public struct RequestContext: Sendable {
    public let id: RequestID
    /// The pattern of the route, such as `/api/jobs/{id}`.
    public let route: String
    /// The event loop on which the handler runs.
    public let loop: Loop
    /// Address of the TCP peer, which may be a proxy.
    public let remoteAddress: SocketAddress
    /// The authenticated sender; nil on open routes.
    public let caller: Caller?
    let baseLogger: Logger

    /// A logger whose lines carry the request id.
    public var logger: Logger { baseLogger.with(["request_id": .text(id)]) }
}
