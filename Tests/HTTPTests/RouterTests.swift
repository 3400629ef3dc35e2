import Testing

@testable import HTTP

struct RouterTests {
    private static let patterns: [(HTTP.Method, String)] = [
        (.get, "/"), (.post, "/jobs"), (.get, "/jobs"), (.post, "/jobs/cancel"), (.get, "/jobs/{id}"),
        (.post, "/jobs/{id}/cancel"), (.get, "/jobs/{id}/events"), (.post, "/jobs/batch"), (.get, "/a/{x}/c"),
        (.get, "/a/b/d"),
    ]

    private static func router() -> Router {
        var router = Router()
        for (method, pattern) in patterns { router.on(method, pattern, access: .open) { _, _ in Response(.ok) } }
        return router
    }

    /// `METHOD pattern [values]`, or the status with the allowed methods.
    private static func match(_ method: HTTP.Method, _ target: String) throws -> String {
        let (_, parsed) = parseRequest("\(method) \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        let head = try #require(parsed)
        let router = router()
        switch router.match(head) {
        case .route(let index, let parameters):
            let route = router.routes[index]
            let request = Request(head: head, body: [], parameters: parameters)
            let values = try route.parameterNames.map { " \($0)=\(try request.parameter($0))" }.joined()
            return "\(route.method) \(route.pattern)\(values)"
        case .options(let methods): return "options \(methods.allowValue)"
        case .methodNotAllowed(let methods): return "405 \(methods.allowValue)"
        case .notFound: return "404"
        }
    }

    @Test(arguments: [
        (HTTP.Method.get, "/", "GET /"), (.get, "http://h", "GET /"), (.get, "/?x=/jobs", "GET /"),
        (.get, "/jobs", "GET /jobs"), (.head, "/jobs", "GET /jobs"), (.post, "/jobs?x", "POST /jobs"),
        (.get, "/jobs/7", "GET /jobs/{id} id=7"), (.post, "/jobs/7/cancel", "POST /jobs/{id}/cancel id=7"),
        // A literal takes precedence over a parameter, if it leads to a route for the method.
        (.post, "/jobs/cancel", "POST /jobs/cancel"), (.get, "/jobs/cancel", "GET /jobs/{id} id=cancel"),
        (.get, "/jobs/batch/events", "GET /jobs/{id}/events id=batch"), (.get, "/a/b/c", "GET /a/{x}/c x=b"),
        (.get, "/a/b/d", "GET /a/b/d"),
        // Escapes are decoded after the path has been split into segments.
        (.get, "/%6aobs", "GET /jobs"), (.get, "/jobs/a%2Fb%20c%C3%A9", "GET /jobs/{id} id=a/b cé"),
        (.get, "/jobs/a+b", "GET /jobs/{id} id=a+b"), (.post, "/jobs/%63ancel", "POST /jobs/cancel"),
        (.get, "/jobs%2F7", "404"),
        // A path is not normalised.
        (.get, "/jobs/", "404"), (.get, "//jobs", "404"), (.get, "/jobs//events", "404"), (.get, "/jobs/7/x", "404"),
        (.get, "/Jobs", "404"), (.get, "/jobs/../jobs", "404"),
        (.put, "/jobs", "405 GET, HEAD, POST, OPTIONS"), (.put, "/jobs/cancel", "405 GET, HEAD, POST, OPTIONS"),
        (.trace, "/jobs/7", "405 GET, HEAD, OPTIONS"), (.options, "/jobs/7", "options GET, HEAD, OPTIONS"),
        (.options, "/none", "404"), (.options, "*", "options GET, HEAD, POST, OPTIONS"),
    ])
    func `a request is routed by method and path`(method: HTTP.Method, target: String, found: String) throws {
        #expect(try Self.match(method, target) == found)
    }

    @Test func `the router lists its routes`() {
        let listed = Self.router().routes.map { "\($0.method) \($0.pattern)" }
        #expect(listed == Self.patterns.map { "\($0.0) \($0.1)" })
        #expect(Self.router().routes.first { $0.method == .post }?.body == .json())
        #expect(Self.router().routes.first { $0.method == .get }?.body == Route.Body.none)
    }

    @Test(arguments: [
        ("", []), ("a=1", ["a:1"]), ("a=1&b=2&a=3", ["a:1", "b:2", "a:3"]), ("a", ["a:"]), ("a=", ["a:"]),
        ("a=b=c", ["a:b=c"]), ("&&a=1&", ["a:1"]), ("a%20b=c+d%2B", ["a b:c d+"]), ("%C3%A9=x", ["é:x"]),
    ])
    func `a query is parsed into its parameters`(text: String, items: [String]) throws {
        let query = try Query(Array(text.utf8)[...])
        #expect(query.items.map { "\($0.name):\($0.value)" } == items)
    }

    @Test(arguments: ["=x", "a=%ff", "%80", "a=%2", "a=%zz"])
    func `a malformed query is rejected`(text: String) {
        #expect(throws: Problem.self) { try Query(Array(text.utf8)[...]) }
    }
}
