/// Finds the route of a request.
///
/// A pattern is a path of literal segments and parameters: `/api/jobs/{id}/cancel`. A literal wins over a parameter.
/// HEAD is answered by the route for GET, OPTIONS by the router itself.
public struct Router: Sendable {
    /// Decides whether the sender of a request may use a scope. It throws the `Problem` that answers it: 401 for
    /// want of a valid key, 403 for want of the scope.
    public typealias Authorizer = @Sendable (RequestHead, _ scope: String) async throws -> Caller

    /// Turns what a handler threw into a problem; nil for what is no problem of the client's: 500.
    public typealias ErrorTranslator = @Sendable (any Error) -> Problem?

    /// In the order in which they were registered.
    public private(set) var routes: [Route] = []
    let authorizer: Authorizer?
    let translateError: ErrorTranslator
    private var tree = PathTree()
    private var methods: MethodSet = []

    /// - Parameter authorizer: needed as soon as a route asks for a scope.
    public init(
        authorizer: Authorizer? = nil, translateError: @escaping ErrorTranslator = { _ in nil }
    ) {
        self.authorizer = authorizer
        self.translateError = translateError
    }

    /// Registers a route.
    /// - Parameters:
    ///   - access: has no default, so that no route is open by oversight.
    ///   - body: by default JSON for POST, PUT and PATCH, none for the others.
    /// - Precondition: the pattern is well formed, and has no other route for the method.
    public mutating func on(
        _ method: Method, _ pattern: String, access: Route.Access, body: Route.Body? = nil,
        _ handler: @escaping Handler
    ) {
        precondition(method != .head && method != .options, "\(method) is answered without a route of its own")
        precondition(access == .open || authorizer != nil, "\(pattern) asks for a scope, and nobody grants any")
        let names = tree.insert(pattern, method, index: routes.count)
        methods.formUnion([MethodSet(method), MethodSet(.options)])
        if method == .get { methods.insert(MethodSet(.head)) }
        let takesBody = method == .post || method == .put || method == .patch
        routes.append(
            Route(
                method, pattern, access, body ?? (takesBody ? .json() : .none), parameterNames: names, handler))
    }

    enum Match {
        /// The place of the route in `routes`.
        case route(Int, PathParameters)
        /// OPTIONS of a path that exists, or of `*`.
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
