import HTTP
import JSON
import Pauses
import Pools
import Postgres
import Telemetry
import Testing
import Values

@testable import Api
@testable import Jobs

/// Every limit, default, pattern and enumeration of `openapi.json` is that of the code.
@Suite struct OpenAPILimitsTests {
    private let document: JSONValue

    init() throws {
        document = try OpenAPIFile.read()
    }

    private func component(_ kind: String, _ name: String) throws -> JSONValue {
        try #require(document["components"]?[kind]?[name], "\(kind)/\(name)")
    }

    private func schema(_ name: String) throws -> JSONValue { try component("schemas", name) }

    private func property(_ schema: String, _ name: String) throws -> JSONValue {
        try #require(self.schema(schema)["properties"]?[name], "\(schema).\(name)")
    }

    private func content(_ path: String, _ method: String = "post") throws -> JSONValue {
        try #require(
            document["paths"]?[path]?[method]?["requestBody"]?["content"]?["application/json"], "\(method) \(path)")
    }

    private func bodyProperty(_ path: String, _ name: String) throws -> JSONValue {
        try #require(content(path)["schema"]?["properties"]?[name], "\(path) \(name)")
    }

    private func queryParameters(_ path: String) -> [JSONValue] {
        (document["paths"]?[path]?["get"]?["parameters"]?.array ?? []).filter { $0["in"]?.string == "query" }
    }

    private func queryParameter(_ path: String, _ name: String) throws -> JSONValue {
        try #require(queryParameters(path).first { $0["name"]?.string == name }?["schema"], "\(path) \(name)")
    }

    private func expect(
        _ schema: JSONValue?, in range: ClosedRange<some BinaryInteger>, default standard: (some BinaryInteger)?,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(schema?["minimum"]?.integer == Int(range.lowerBound), sourceLocation: location)
        #expect(schema?["maximum"]?.integer == Int(range.upperBound), sourceLocation: location)
        #expect(schema?["default"]?.integer == standard.map { Int($0) }, sourceLocation: location)
    }

    private func expect(
        _ schema: JSONValue?, in range: ClosedRange<some BinaryInteger>, _ location: SourceLocation = #_sourceLocation
    ) {
        expect(schema, in: range, default: Int?.none, location)
    }

    private func expect(
        _ schema: JSONValue?, in range: ClosedRange<Double>, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(schema?["minimum"]?.double == range.lowerBound, sourceLocation: location)
        #expect(schema?["maximum"]?.double == range.upperBound, sourceLocation: location)
    }

    /// A text of 1 to `bytesMax` bytes without control characters.
    private func expectLine(
        _ schema: JSONValue, bytesMax: Int, _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(schema["minLength"]?.integer == 1, sourceLocation: location)
        #expect(schema["maxLength"]?.integer == bytesMax, sourceLocation: location)
        let pattern = try Regex(try #require(schema["pattern"]?.string))
        for (text, isAccepted) in [("a b", true), ("ü\u{80}", true), ("a\u{1f}", false), ("\u{7f}", false)] {
            #expect((try pattern.wholeMatch(in: text) != nil) == isAccepted, sourceLocation: location)
        }
    }

    private func matches(_ text: String, _ schema: JSONValue) throws -> Bool {
        try Regex(try #require(schema["pattern"]?.string)).wholeMatch(in: text) != nil
    }

    // MARK: Jobs

    @Test func `limits and defaults of a new job`() throws {
        func job(_ name: String) throws -> JSONValue { try property("NewJob", name) }
        expect(try job("priority"), in: Int16.min...Int16.max, default: NewJob(type: "a").priority)
        expect(try job("max_attempts"), in: JobLimits.maxAttempts, default: JobLimits.maxAttemptsStandard)
        expect(try job("timeout_seconds"), in: JobLimits.timeoutSeconds, default: JobLimits.timeoutSecondsStandard)
        expect(
            try job("cancel_grace_seconds"), in: JobLimits.cancelGraceSeconds,
            default: JobLimits.cancelGraceSecondsStandard)
        expect(try job("delay_seconds"), in: JobLimits.delaySeconds)
        expect(try job("unique_for")["oneOf"]?[1], in: JobLimits.uniqueSeconds)
        #expect(try job("unique_for")["oneOf"]?[0]?["const"]?.string == "active")
        #expect(try job("queue")["default"]?.string == NewJob(type: "a").queue)
        #expect(try job("tags")["maxItems"]?.integer == JobLimits.tagsMax)
        expect(try schema("BackoffSeconds"), in: 0...JobLimits.backoffSecondsMax)
        #expect(JobLimits.payloadBytesMax == 1_048_576)
        #expect(try job("payload")["description"]?.string?.contains("1 MiB") == true)
        let trace = try job("trace_parent")
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            #expect(try matches(text, trace) == (TraceParent(parsing: text) != nil), "\(text)")
        }
    }

    @Test func `limits of names and texts`() throws {
        #expect(
            try schema("Name")["pattern"]?.string == #"^(?!\.{1,2}$)[A-Za-z0-9._:/-]{1,\#(JobLimits.nameBytesMax)}$"#)
        #expect(PoolLimits.nameBytesMax == JobLimits.nameBytesMax)
        try expectLine(try schema("Key"), bytesMax: JobLimits.keyBytesMax)
        try expectLine(try schema("Tag"), bytesMax: JobLimits.tagBytesMax)
        try expectLine(try schema("Reason"), bytesMax: JobLimits.reasonBytesMax)
        try expectLine(try schema("UpdatedBy"), bytesMax: JobLimits.actorBytesMax)
        let key = try #require(component("parameters", "IdempotencyKey")["schema"])
        #expect(key["minLength"]?.integer == 1 && key["maxLength"]?.integer == JobLimits.keyBytesMax)
        let id = try #require(component("parameters", "RequestID")["description"]?.string)
        #expect(id.contains("{1,\(RequestID.bytesMax)}"))
        #expect(
            try property("Job", "progress")["properties"]?["message"]?["maxLength"]?.integer
                == ProgressReport.messageBytesMax)
    }

    @Test func `limits of a batch`() throws {
        let jobs = try bodyProperty("/api/jobs/batch", "jobs")
        #expect(jobs["minItems"]?.integer == 1 && jobs["maxItems"]?.integer == JobLimits.bulkJobsMax)
        #expect(JobLimits.bulkBytesMax == 8 * 1_048_576)
        let post = document["paths"]?["/api/jobs/batch"]?["post"]
        #expect(post?["description"]?.string?.contains("8 MiB") == true)
        #expect(try property("Problem", "errors")["maxItems"]?.integer == InputErrors.countMax)
    }

    @Test func `statuses and backoffs`() throws {
        let statuses = JobStatus.allCases.map(\.rawValue)
        #expect(try schema("JobStatus")["enum"]?.strings == statuses)
        #expect(try property("Queue", "depth")["required"]?.strings == statuses)

        let kinds = try #require(schema("Backoff")["oneOf"]?.array).flatMap { form in
            let kind = form["properties"]?["kind"]
            return kind?["enum"]?.strings ?? [kind?["const"]?.string ?? ""]
        }
        for kind in kinds {
            let body = #"{"type":"a","backoff":{"kind":"\#(kind)"\#(Self.delays(of: kind))}}"#
            _ = try BodyReader.job(try request("POST /api/jobs HTTP/1.1", body: body), payloadBytesMax: 1_024)
        }
        #expect(kinds == ["standard", "none", "fixed", "exponential"])
    }

    private static func delays(of kind: String) -> String {
        switch kind {
        case "fixed": #","base_seconds":1"#
        case "exponential": #","base_seconds":1,"max_seconds":2"#
        default: ""
        }
    }

    @Test func `codes and members of the reasons for a wait`() throws {
        var codes: Set<String> = []
        var members: Set<String> = []
        for reason in Self.reasons {
            var writer = JSONWriter()
            reason.write(to: &writer)
            let written = try JSONValue(parsing: writer.finish())
            codes.insert(try #require(written["code"]?.string))
            members.formUnion(written.names)
        }
        let documented = try #require(try property("WaitReason", "code")["enum"]?.strings)
        #expect(Set(documented) == codes && documented.count == codes.count)
        #expect(try Set(#require(schema("WaitReason")["properties"]).names) == members)
        let description = try #require(try property("WaitReason", "code")["description"]?.string)
        for code in codes { #expect(description.contains("`\(code)`"), "\(code)") }
        let count = try #require(try property("WaitReason", "count")["description"]?.string)
        #expect(count.contains("\(JobFacts.aheadMax + 1) means more than \(JobFacts.aheadMax)"))
        #expect(count.contains("at most \(JobFacts.keysMax)"))
    }

    private static let reasons: [WaitReason] = [
        .running(worker: nil, since: .earliest, isEnding: false, hold: nil),
        .running(
            worker: "w", since: .earliest, isEnding: true,
            hold: LeaseHold(expiresAt: .earliest, workerState: .alive, heartbeatAt: .earliest, takeover: .lease)),
        .ended(.failed, at: .earliest), .scheduled(runAt: .earliest, isDue: false),
        .paused(
            HoldingPause(
                scope: "all", version: 1, updatedBy: "ada", since: .earliest, reason: "why", resumeAt: nil)),
        .queueFull(queue: "q", most: 1, holders: []), .rateReached(queue: "q", nextStart: .earliest),
        .keyFull(key: "k", most: 1, holders: []), .noWorkerForQueue("q"), .noWorkerForType("t", workers: 1),
        .workersPaused(workers: 1), .workersBusy(workers: 1), .jobsAhead(1), .fairness(1), .next,
    ]

    // MARK: Lists

    @Test func `parameters of the list of jobs`() throws {
        let path = "/api/jobs"
        #expect(queryParameters(path).compactMap { $0["name"]?.string } == ListQuery.Parameter.allCases.map(\.rawValue))
        expect(try queryParameter(path, "limit"), in: ListQuery.limitRange, default: ListQuery.limitStandard)
        #expect(try matches(JobCursor(after: UUID(high: 1, low: .max)).text, try queryParameter(path, "cursor")))
        let worker = try #require(queryParameter(path, "worker")["maxLength"]?.integer)
        _ = try ListQuery(try query(path, "worker=\(String(repeating: "w", count: worker))"))
        #expect(throws: Problem.self) {
            try ListQuery(try query(path, "worker=\(String(repeating: "w", count: worker + 1))"))
        }
    }

    @Test func `parameters of the list of queues`() throws {
        let path = "/api/queues"
        #expect(
            queryParameters(path).compactMap { $0["name"]?.string } == QueueListQuery.Parameter.allCases.map(\.rawValue)
        )
        expect(
            try queryParameter(path, "limit"), in: QueueListQuery.limitRange, default: QueueListQuery.limitStandard)
        let cursor = try queryParameter(path, "cursor")
        for text in [QueueCursor(after: "a/b").text, "q", "a", "q\(String(repeating: "n", count: 129))"] {
            #expect(try matches(text, cursor) == (QueueCursor(text) != nil), "\(text)")
        }
    }

    @Test func `parameters of the list of events`() throws {
        let path = "/api/jobs/{id}/events"
        #expect(
            queryParameters(path).compactMap { $0["name"]?.string } == EventsQuery.Parameter.allCases.map(\.rawValue))
        expect(try queryParameter(path, "limit"), in: EventsQuery.limitRange, default: EventsQuery.limitStandard)
        let cursor = try queryParameter(path, "cursor")
        for text in ["e0", "e999999999", "e1000000000", "e", "1", "e1x"] {
            let isAccepted = (try? EventsQuery(try query("/api/jobs/1/events", "cursor=\(text)"))) != nil
            #expect(try matches(text, cursor) == isAccepted, "\(text)")
        }
    }

    @Test func `parameters of the history of pauses`() throws {
        let path = "/api/worker/control-history"
        #expect(
            queryParameters(path).compactMap { $0["name"]?.string }
                == PauseHistoryQuery.Parameter.allCases.map(\.rawValue))
        expect(
            try queryParameter(path, "limit"), in: PauseHistoryQuery.limitRange,
            default: PauseHistoryQuery.limitStandard)
        let cursor = try queryParameter(path, "cursor")
        for text in ["1", String(repeating: "9", count: 18), "1\(String(repeating: "0", count: 18))", "0", "x"] {
            let isAccepted = (try? PauseHistoryQuery(try query(path, "cursor=\(text)"))) != nil
            #expect(try matches(text, cursor) == isAccepted, "\(text)")
        }
    }

    private func read<Value>(
        _ body: String, _ read: (inout InputReader) throws(JSONSyntaxError) -> Value
    ) throws -> Value {
        try BodyReader.read(try request("POST /x HTTP/1.1", body: body), read)
    }

    private func query(_ path: String, _ text: String) throws -> Query {
        try request("GET \(path)\(text.isEmpty ? "" : "?")\(text) HTTP/1.1").query()
    }

    // MARK: Bulk operations

    @Test func `limits and examples of bulk operations`() throws {
        for (verb, name) in [(BulkChange.Verb.cancel, "cancel"), (.retry, "retry")] {
            let path = "/api/jobs/\(name)"
            expect(try bodyProperty(path, "limit"), in: BulkChange.limitRange, default: BulkChange.limitStandard)
            #expect(
                try bodyProperty(path, "filter")["properties"]?["status"]?["enum"]?.strings
                    == verb.statuses.map(\.rawValue))
            let example = try #require(content(path)["example"]).text
            _ = try read(example) { input throws(JSONSyntaxError) in try BulkChange.read(&input, as: verb) }
        }
        expect(try bodyProperty("/api/jobs/retry", "rate_per_second"), in: BulkChange.rateRange)
        let ids = try property("JobFilter", "ids")
        #expect(ids["minItems"]?.integer == 1 && ids["maxItems"]?.integer == BulkChange.idsMax)
        #expect(try property("BulkReport", "ids")["maxItems"]?.integer == BulkReport.idsMax)
    }

    // MARK: Queues and pauses

    @Test func `limits and example of a queue's settings`() throws {
        expect(try schema("QueueLimit"), in: JobLimits.queueLimit)
        expect(try property("RateLimit", "count"), in: JobLimits.queueLimit)
        expect(try property("RateLimit", "per_seconds"), in: JobLimits.rateSeconds)
        expect(try schema("RetentionHours"), in: JobLimits.retentionHours)
        let example = try #require(content("/api/queues/{name}", "put")["example"]).text
        let settings = try read(example) { input throws(JSONSyntaxError) in try QueueSettings.read(&input) }
        #expect(settings.runningMax == 20 && settings.rate == StartRate(count: 100, seconds: 60, burst: 10))
        let members = try #require(schema("QueueSettings")["properties"]).names
        #expect(try schema("Queue")["required"]?.strings == ["name", "depth", "oldest_ready_seconds"] + members)
    }

    @Test func `limits of a pause`() throws {
        expect(try schema("WaitSeconds"), in: PauseChange.waitSecondsRange, default: 0)
        #expect(try schema("ExpectedVersion")["minimum"]?.integer == 0)
        let scope = try schema("PauseScope")
        let name = String(repeating: "a", count: JobLimits.nameBytesMax)
        for text in ["all", "queue:a/b", "type:\(name)", "type:\(name)a", "queue:", "type:a b", "queue", "All"] {
            let body = #"{"scope":"\#(text)","reason":"r","updated_by":"u"}"#
            let change = try? read(body) { input throws(JSONSyntaxError) in
                try PauseChange.read(&input, .pause, scope: nil)
            }
            let isAccepted = change != nil
            #expect(try matches(text, scope) == isAccepted, "\(text)")
        }
    }

    // MARK: Pools

    @Test func `limits, states and example of a pool`() throws {
        expect(try schema("PoolSize")["oneOf"]?[0], in: PoolLimits.size)
        expect(try property("PoolMember", "ordinal"), in: PoolLimits.ordinal)
        #expect(try property("PoolSettings", "workloads")["maxItems"]?.integer == PoolLimits.workloadsMax)
        let size = try #require(schema("PoolSize")["description"]?.string)
        #expect(size.contains("\(PoolLimits.sizeStableTime.components.seconds) seconds"))
        #expect(
            try property("PoolAssignment", "state")["enum"]?.strings == Workload.State.allCases.map(\.rawValue))
        #expect(
            try property("PoolMember", "state")["enum"]?.strings
                == Pool.MemberState.allCases.map(\.rawValue).filter { $0 != "missing" })
        let example = try #require(content("/api/pools/{name}", "put")["example"]).text
        let spec = try read(example) { input throws(JSONSyntaxError) in try PoolRequest.read(&input, name: "a") }.spec
        #expect(spec.size == 3 && spec.workloads.count == 3)
        for name in ["Pool", "PoolMember", "PoolAssignments", "PoolAssignment"] {
            let schema = try schema(name)
            #expect(schema["required"]?.strings?.sorted() == schema["properties"]?.names.sorted(), "\(name)")
        }
        let shown = try component("responses", "Pool")["content"]?["application/json"]?["example"]
        #expect(try shown?.names.sorted() == schema("Pool")["required"]?.strings?.sorted())
    }
}
