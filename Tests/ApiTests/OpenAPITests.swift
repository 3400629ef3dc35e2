import HTTP
import JSON
import Jobs
import Pauses
import TLS
import Telemetry
import Testing

@testable import Api

/// `openapi.json` describes what the router does. `OpenAPILimitsTests` compares its limits and enumerations with the
/// code.
@Suite struct OpenAPITests {
    private let document: JSONValue
    private let routes: [Route]

    init() throws {
        document = try OpenAPIFile.read()
        let authorizer = RootKeyAuthorizer(rootKey: SHA256.digest(of: Array("key".utf8)))
        routes = try endpointsWithoutDatabase().router(authorizer: authorizer).routes
    }

    private func operation(_ route: Route) -> JSONValue? {
        document["paths"]?[route.pattern]?[route.method.description.lowercased()]
    }

    @Test func `the api serves the file byte for byte`() throws {
        #expect(try OpenAPIDocument.bytes == OpenAPIFile.bytes())
    }

    @Test func `the document has the version of the product`() {
        #expect(document["openapi"]?.string == "3.1.0")
        #expect(document["info"]?["version"]?.string == ProductVersion.text)
    }

    @Test func `every route is described, and nothing else`() {
        let described = (document["paths"]?.object ?? []).flatMap { path in
            (path.value.object ?? []).map { "\($0.name.uppercased()) \(path.name)" }
        }
        #expect(described.sorted() == routes.map { "\($0.method) \($0.pattern)" }.sorted())
        #expect(described.count == 32)
    }

    @Test func `open routes need no key, and all others do`() {
        for route in routes {
            let isOpen = operation(route)?["security"]?.array?.isEmpty == true
            #expect(isOpen == (route.access == .open), "\(route.pattern)")
            #expect((operation(route)?["responses"]?["401"] != nil) == (route.access != .open), "\(route.pattern)")
        }
        #expect(document["security"]?[0]?["rootKey"] != nil)
    }

    @Test func `routes that take a body say which, and the others have none`() {
        for route in routes {
            #expect((operation(route)?["requestBody"] != nil) == (route.body != .none), "\(route.pattern)")
        }
    }

    @Test func `every operation has a unique name, a summary, and a response for all other errors`() {
        let names = routes.compactMap { operation($0)?["operationId"]?.string }
        #expect(Set(names).count == routes.count)
        for route in routes {
            #expect(operation(route)?["summary"]?.string?.isEmpty == false, "\(route.pattern)")
            #expect(operation(route)?["responses"]?["default"] != nil, "\(route.pattern)")
        }
    }

    @Test func `every parameter of a path is described`() {
        for route in routes {
            let parameters = (operation(route)?["parameters"]?.array ?? []).compactMap(resolved)
            let described = parameters.compactMap { $0["in"]?.string == "path" ? $0["name"]?.string : nil }
            #expect(described == route.pattern.matches(of: /\{(\w+)\}/).map { String($0.output.1) }, "\(route.pattern)")
        }
    }

    /// The component that a reference names; the value itself if it is no reference.
    private func resolved(_ value: JSONValue) -> JSONValue? {
        guard let reference = value["$ref"]?.string else { return value }
        return reference.dropFirst(2).split(separator: "/").reduce(Optional(document)) { $0?[String($1)] }
    }

    @Test func `every operation describes the errors of its input`() {
        for route in routes where route.access != .open && route.pattern != "/openapi.json" {
            let responses = operation(route)?["responses"]
            #expect(responses?["400"] != nil && responses?["503"] != nil, "\(route.pattern)")
            for status in ["413", "415", "422"] {
                #expect((responses?[status] != nil) == (route.body != .none), "\(status) \(route.pattern)")
            }
        }
    }

    @Test func `every reference has a target, and every component is used`() {
        var references: Set<String> = []
        collectReferences(in: document, into: &references)
        #expect(references.count > 20)
        for reference in references {
            #expect(resolved(["$ref": .string(reference)]) != nil, "\(reference)")
        }
        for kind in document["components"]?.object ?? [] where kind.name != "securitySchemes" {
            for component in kind.value.object ?? [] {
                #expect(references.contains("#/components/\(kind.name)/\(component.name)"))
            }
        }
    }

    private func collectReferences(in value: JSONValue, into references: inout Set<String>) {
        for element in value.array ?? [] { collectReferences(in: element, into: &references) }
        for member in value.object ?? [] {
            if member.name == "$ref", let target = member.value.string { references.insert(target) }
            collectReferences(in: member.value, into: &references)
        }
    }

    @Test func `the examples of new jobs are accepted`() throws {
        let post = document["paths"]?["/api/jobs"]?["post"]
        let examples = post?["requestBody"]?["content"]?["application/json"]?["examples"]?.object ?? []
        #expect(examples.count == 2)
        for example in examples {
            let body = try #require(example.value["value"]).text
            _ = try BodyReader.job(try request("POST /api/jobs HTTP/1.1", body: body), payloadBytesMax: 1_024)
        }
    }

    @Test func `a job has the members that the document requires`() throws {
        let schema = document["components"]?["schemas"]?["Job"]
        let required = schema?["required"]?.array?.compactMap(\.string) ?? []
        #expect(required.sorted() == (schema?["properties"]?.object ?? []).map(\.name).sorted())
        let example = document["components"]?["examples"]?["QueuedJob"]?["value"]?.object ?? []
        #expect(example.map(\.name).sorted() == required.sorted())
    }

    @Test(arguments: [
        ("/api/worker/pause", PauseChange.Action.pause, PauseScope?.none), ("/api/worker/resume", .resume, nil),
        ("/api/queues/{name}/pause", .pause, PauseScope.queue("q")),
        ("/api/queues/{name}/resume", .resume, PauseScope.queue("q")),
    ])
    func `the examples of pauses are accepted`(
        path: String, action: PauseChange.Action, scope: PauseScope?
    ) throws {
        let content = document["paths"]?[path]?["post"]?["requestBody"]?["content"]?["application/json"]
        let example = try #require(content?["example"]).text
        let request = try request("POST /api/x HTTP/1.1", body: example)
        _ = try BodyReader.read(request) { input throws(JSONSyntaxError) in
            try PauseChange.read(&input, action, scope: scope)
        }
    }
}
