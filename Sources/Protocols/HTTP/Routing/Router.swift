/// The routes of a server.
///
/// A pattern is a path of literal segments and parameters, such as `/api/jobs/{id}/cancel`. A literal takes precedence
/// over a parameter. HEAD is answered by the route for GET, OPTIONS by the router.
public struct Router: Sendable {
    /// Checks that the sender of a request has a scope. Throws the `Problem` to answer otherwise: 401 without a valid
    /// key, 403 without the scope.
    public typealias Authorizer = @Sendable (RequestHead, _ scope: String) async throws -> Caller

    /// Converts an error of a handler into a problem for the client; nil for an internal error, answered with 500. The
    /// method is that of the route.
    public typealias ErrorTranslator = @Sendable (any Error, Method) -> Problem?

    /// All routes in the order of registration.
    public private(set) var routes: [Route] = []
    let authorizer: Authorizer?
    let translateError: ErrorTranslator
    private var tree = PathTree()
    private var methods: MethodSet = []

    /// - Parameter authorizer: required if a route requires a scope.
    public init(
        authorizer: Authorizer? = nil, translateError: @escaping ErrorTranslator = { _, _ in nil }
    ) {
        self.authorizer = authorizer
        self.translateError = translateError
    }

    /// Registers a route.
    /// - Parameters:
    ///   - access: without a default, so that no route is open by oversight.
    ///   - body: the accepted body; by default JSON for POST, PUT and PATCH, none for other methods.
    /// - Precondition: the pattern is well formed, and the method is not registered for it.
    public mutating func on(
        _ method: Method, _ pattern: String, access: Route.Access, body: Route.Body? = nil,
        _ handler: @escaping Handler
    ) {
        precondition(method != .head && method != .options, "\(method) is answered by the router")
        precondition(access == .open || authorizer != nil, "\(pattern) requires a scope, but there is no authorizer")
        let names = tree.insert(pattern, method, index: routes.count)
        methods.formUnion([MethodSet(method), MethodSet(.options)])
        if method == .get { methods.insert(MethodSet(.head)) }
        let takesBody = method == .post || method == .put || method == .patch
        routes.append(
            Route(
                method, pattern, access, body ?? (takesBody ? .json() : .none), parameterNames: names, handler))
    }

    enum Match {
        /// The index of the route in `routes`, and the matched parameters.
        case route(Int, PathParameters)
        /// OPTIONS for an existing path, or for `*`.
        case options(MethodSet)
        case methodNotAllowed(MethodSet)
        case notFound
    }

    func match(_ head: RequestHead) -> Match {
        if head.target.isAsterisk { return .options(methods) }
        var search = PathTree.Search(head)
        if let route = tree.find(&search) {
            return .route(route, PathParameters(names: routes[route].parameterNames, values: search.values))
        }
        if search.allowed.isEmpty { return .notFound }
        return head.method == .options ? .options(search.allowed) : .methodNotAllowed(search.allowed)
    }
}
