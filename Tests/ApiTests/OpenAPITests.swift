import HTTP
import JSON
import Jobs
import Pools
import TLS
import Testing

@testable import Api

/// The document says what the router does.
@Suite struct OpenAPITests {
    private let document: JSONValue
    private let routes: [Route]

    init() throws {
        document = try JSONValue(parsing: OpenAPIDocument.bytes)
        let authorizer = RootKeyAuthorizer(rootKey: SHA256.digest(of: Array("key".utf8)))
        routes = try endpointsWithoutDatabase().router(authorizer: authorizer).routes
    }

    private func operation(_ route: Route) -> JSONValue? {
        document["paths"]?[route.pattern]?[route.method.description.lowercased()]
    }

    @Test func `every route is described, and nothing else`() {
        let described = (document["paths"]?.object ?? []).flatMap { path in
            (path.value.object ?? []).map { "\($0.name.uppercased()) \(path.name)" }
        }
        #expect(described.sorted() == routes.map { "\($0.method) \($0.pattern)" }.sorted())
        #expect(described.count == 29)
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

    @Test func `every operation has a name of its own, a summary, and an answer for whatever goes wrong`() {
        let names = routes.compactMap { operation($0)?["operationId"]?.string }
        #expect(Set(names).count == routes.count)
        for route in routes {
            #expect(operation(route)?["summary"]?.string?.isEmpty == false, "\(route.pattern)")
            #expect(operation(route)?["responses"]?["default"] != nil, "\(route.pattern)")
        }
    }

    @Test func `every parameter of a path is described`() {
        for route in routes where route.pattern.contains("{id}") {
            let references = operation(route)?["parameters"]?.array?.compactMap { $0["$ref"]?.string } ?? []
            #expect(references.contains("#/components/parameters/JobID"), "\(route.pattern)")
        }
    }

    @Test func `every reference leads somewhere, and no component is left over`() {
        var references: Set<String> = []
        collectReferences(in: document, into: &references)
        #expect(references.count > 20)
        for reference in references {
            let target = reference.dropFirst(2).split(separator: "/").reduce(Optional(document)) { value, name in
                value?[String(name)]
            }
            #expect(target != nil, "\(reference)")
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

    @Test func `the filters of a list are those of the query`() {
        let parameters = document["paths"]?["/api/jobs"]?["get"]?["parameters"]?.array ?? []
        let names = parameters.compactMap { $0["in"]?.string == "query" ? $0["name"]?.string : nil }
        #expect(names == ListQuery.names)
        let limit = parameters.first { $0["name"]?.string == "limit" }?["schema"]
        #expect(limit?["minimum"]?.integer == ListQuery.limitRange.lowerBound)
        #expect(limit?["maximum"]?.integer == ListQuery.limitRange.upperBound)
        #expect(limit?["default"]?.integer == ListQuery.limitStandard)
    }

    @Test func `the bounds of a job are those that are kept`() {
        let schemas = document["components"]?["schemas"]
        let job = schemas?["NewJob"]?["properties"]
        #expect(job?["max_attempts"]?["maximum"]?.integer == Int(JobLimits.maxAttempts.upperBound))
        #expect(job?["max_attempts"]?["default"]?.integer == Int(JobLimits.maxAttemptsStandard))
        #expect(job?["timeout_seconds"]?["maximum"]?.integer == Int(JobLimits.timeoutSeconds.upperBound))
        #expect(job?["timeout_seconds"]?["default"]?.integer == Int(JobLimits.timeoutSecondsStandard))
        #expect(job?["tags"]?["maxItems"]?.integer == JobLimits.tagsMax)
        #expect(schemas?["Tag"]?["maxLength"]?.integer == JobLimits.tagBytesMax)
        #expect(schemas?["BackoffSeconds"]?["maximum"]?.integer == Int(JobLimits.backoffSecondsMax))
        #expect(schemas?["Name"]?["pattern"]?.string == "^[A-Za-z0-9._:/-]{1,\(JobLimits.nameBytesMax)}$")
        #expect(schemas?["JobStatus"]?["enum"]?.array?.compactMap(\.string) == JobStatus.allCases.map(\.rawValue))
        let batch = document["paths"]?["/api/jobs/batch"]?["post"]?["requestBody"]?["content"]?["application/json"]
        #expect(batch?["schema"]?["properties"]?["jobs"]?["maxItems"]?.integer == JobLimits.bulkJobsMax)
    }

    @Test func `the bounds of a queue's settings are those that are kept`() throws {
        let schemas = document["components"]?["schemas"]
        #expect(schemas?["QueueLimit"]?["maximum"]?.integer == Int(JobLimits.queueLimit.upperBound))
        #expect(schemas?["RetentionHours"]?["maximum"]?.integer == Int(JobLimits.retentionHours.upperBound))
        let put = document["paths"]?["/api/queues/{name}"]?["put"]?["requestBody"]?["content"]?["application/json"]
        let example = try #require(put?["example"]).text
        let settings = try BodyReader.queueSettings(try request("PUT /api/queues/a HTTP/1.1", body: example))
        #expect(settings.runningMax == 20 && settings.rate == StartRate(count: 100, seconds: 60, burst: 10))
        let members = schemas?["QueueSettings"]?["properties"]?.object?.map(\.name) ?? []
        let shown = schemas?["Queue"]?["required"]?.array?.compactMap(\.string) ?? []
        #expect(shown == ["name", "depth", "oldest_ready_seconds"] + members)
    }

    @Test func `the bounds and the examples of bulk operations are those that are kept`() throws {
        for (verb, name) in [(BulkChange.Verb.cancel, "cancel"), (.retry, "retry")] {
            let post = document["paths"]?["/api/jobs/\(name)"]?["post"]
            let content = post?["requestBody"]?["content"]?["application/json"]
            let properties = content?["schema"]?["properties"]
            #expect(properties?["limit"]?["maximum"]?.integer == Int(BulkChange.limitRange.upperBound))
            #expect(properties?["limit"]?["default"]?.integer == Int(BulkChange.limitStandard))
            #expect(properties?["reason"]?["maxLength"]?.integer == JobLimits.reasonBytesMax)
            #expect(
                properties?["filter"]?["properties"]?["status"]?["enum"]?.array?.compactMap(\.string)
                    == verb.statuses.map(\.rawValue))
            let example = try #require(content?["example"]).text
            _ = try BodyReader.bulkChange(try request("POST /api/jobs/\(name) HTTP/1.1", body: example), verb)
        }
        let ids = document["components"]?["schemas"]?["JobFilter"]?["properties"]?["ids"]
        #expect(ids?["maxItems"]?.integer == BulkChange.idsMax)
    }

    @Test func `the bounds, the states and the example of a pool are those that are kept`() throws {
        let schemas = document["components"]?["schemas"]
        let size = schemas?["PoolSize"]?["oneOf"]?[0]
        #expect(size?["minimum"]?.integer == Int(PoolLimits.size.lowerBound))
        #expect(size?["maximum"]?.integer == Int(PoolLimits.size.upperBound))
        let settings = schemas?["PoolSettings"]?["properties"]
        #expect(settings?["workloads"]?["maxItems"]?.integer == PoolLimits.workloadsMax)
        #expect(PoolLimits.nameBytesMax == JobLimits.nameBytesMax)
        #expect(
            schemas?["PoolAssignment"]?["properties"]?["state"]?["enum"]?.array?.compactMap(\.string)
                == Workload.State.allCases.map(\.rawValue))
        #expect(
            schemas?["PoolMember"]?["properties"]?["state"]?["enum"]?.array?.compactMap(\.string)
                == Pool.MemberState.allCases.map(\.rawValue).filter { $0 != "missing" })
        let put = document["paths"]?["/api/pools/{name}"]?["put"]?["requestBody"]?["content"]?["application/json"]
        let example = try #require(put?["example"]).text
        let input = try BodyReader.pool(try request("PUT /api/pools/a HTTP/1.1", body: example))
        #expect(input.size == 3 && input.workloads.count == 3)
        for name in ["Pool", "PoolMember", "PoolAssignments", "PoolAssignment"] {
            let schema = schemas?[name]
            #expect(
                schema?["required"]?.array?.compactMap(\.string).sorted()
                    == schema?["properties"]?.object?.map(\.name).sorted(), "\(name)")
        }
        let shown = document["components"]?["responses"]?["Pool"]?["content"]?["application/json"]?["example"]?.object
        #expect(
            shown?.map(\.name).sorted() == schemas?["Pool"]?["required"]?.array?.compactMap(\.string).sorted())
    }

    @Test func `the query of the events is described`() {
        let parameters = document["paths"]?["/api/jobs/{id}/events"]?["get"]?["parameters"]?.array ?? []
        #expect(parameters.compactMap { $0["in"]?.string == "query" ? $0["name"]?.string : nil } == EventsQuery.names)
        let limit = parameters.first { $0["name"]?.string == "limit" }?["schema"]
        #expect(limit?["maximum"]?.integer == EventsQuery.limitRange.upperBound)
        #expect(limit?["default"]?.integer == EventsQuery.limitStandard)
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
}
