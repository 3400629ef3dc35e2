public import EventLoop
public import Telemetry

/// A whole request, as a handler gets it.
public struct Request: Sendable {
    public let head: RequestHead
    /// The content, decoded; empty without a body.
    public let body: [UInt8]
    let parameters: PathParameters

    public var method: Method { head.method }
    public var fields: MessageFields { head.fields }

    /// The part of the path that stands in the place of `{name}` in the pattern, decoded. Throws 400 when it is not
    /// UTF-8.
    /// - Precondition: the route's pattern has `{name}`.
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

    /// The parameters of the query; none without a query. Throws 400 when it is malformed.
    public func query() throws(Problem) -> Query {
        guard let range = head.target.query else { return try Query([]) }
        return try Query(head.fields.bytes[range.indices()])
    }
}

/// What matched the parameters of a pattern.
struct PathParameters: Sendable {
    var names: [String] = []
    var values: [ByteRange] = []
}

/// Who makes a request, as far as the authorizer knows.
public struct Caller: Sendable, Equatable {
    /// For audit and log; never a secret.
    public let name: String
    public let scopes: [String]

    public init(name: String, scopes: [String]) {
        self.name = name
        self.scopes = scopes
    }
}

/// What a handler may know besides the request.
public struct RequestContext: Sendable {
    public let id: RequestID
    /// The pattern of the route.
    public let route: String
    /// The loop on which the handler runs.
    public let loop: Loop
    public let remoteAddress: SocketAddress
    /// Nil on open routes.
    public let caller: Caller?
    let baseLogger: Logger

    /// Writes lines that carry the request's id.
    public var logger: Logger { baseLogger.with(["request_id": .text(id)]) }
}
