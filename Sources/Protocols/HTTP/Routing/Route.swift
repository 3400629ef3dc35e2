/// Answers a request. It runs on the loop of the connection and must not block it. What it throws is sent as a
/// problem document: a `Problem` as it is, anything else as 500 without a word about its cause.
public typealias Handler = @Sendable (Request, RequestContext) async throws -> Response

/// What one method of one path does.
public final class Route: Sendable {
    /// Who may use it.
    public enum Access: Sendable, Equatable {
        /// Everybody: no key is looked at.
        case open
        /// Whom the router's authorizer grants this scope.
        case scope(String)
    }

    /// What body it takes.
    public enum Body: Sendable, Equatable {
        /// None: a request with one is answered with 400.
        case none
        /// A JSON text, or none at all. Another media type is answered with 415, a longer text with 413; `bytesMax`
        /// nil is the server's `bodyBytesMax`.
        case json(bytesMax: Int? = nil)
    }

    public let method: Method
    /// Such as `/api/jobs/{id}`: the route's name in metrics, logs and the OpenAPI document.
    public let pattern: String
    public let access: Access
    public let body: Body
    let handler: Handler
    let parameterNames: [String]

    init(
        _ method: Method, _ pattern: String, _ access: Access, _ body: Body, parameterNames: [String],
        _ handler: @escaping Handler
    ) {
        self.method = method
        self.pattern = pattern
        self.access = access
        self.body = body
        self.parameterNames = parameterNames
        self.handler = handler
    }
}
