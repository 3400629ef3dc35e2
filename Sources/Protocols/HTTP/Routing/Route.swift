/// A function that answers a request. It runs on the event loop of the connection and must not block it. A thrown
/// `Problem` is sent as such; any other error becomes a 500 without its cause.
public typealias Handler = @Sendable (Request, RequestContext) async throws -> Response

/// The handler of one method of one path pattern.
public final class Route: Sendable {
    /// The authorization that a route requires.
    public enum Access: Sendable, Equatable {
        /// None: credentials are ignored.
        case open
        /// This scope, granted by the router's authorizer.
        case scope(String)
    }

    /// The request body that a route accepts.
    public enum Body: Sendable, Equatable {
        /// None: a request with a body is answered with 400.
        case none
        /// A JSON text of up to `bytesMax` bytes (nil: the server's `bodyBytesMax`), or no body. Another media type is
        /// answered with 415, a longer text with 413.
        case json(bytesMax: Int? = nil)
    }

    public let method: Method
    /// The path pattern, such as `/api/jobs/{id}`. Names the route in metrics, logs and the OpenAPI document.
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
