import HTTP
import JSON
import Jobs
import Testing

@testable import Api

@Suite struct BodyReaderTests {
    private func job(_ body: String, fields: String = "") throws(Problem) -> NewJob {
        guard let request = try? request("POST /api/jobs HTTP/1.1\(fields)", body: body) else {
            throw Problem(.internalServerError)
        }
        return try BodyReader.job(request, payloadBytesMax: 16)
    }

    private func jobs(_ body: String) throws(Problem) -> [NewJob] {
        guard let request = try? request("POST /api/jobs/batch HTTP/1.1", body: body) else {
            throw Problem(.internalServerError)
        }
        return try BodyReader.jobs(request, payloadBytesMax: 16)
    }

    private func pointers(_ problem: Problem?) -> [String] {
        (problem?.errors ?? []).map { error in
            if case .pointer(let text) = error.location { text } else { "no pointer" }
        }
    }

    @Test(arguments: [
        ("", 1, 1), ("{\"type\":\"a\",\n  \"payload\":[1,}", 2, 16), ("{\"type\":\"a\"} x", 1, 14),
        ("{\"type\":\"a\",\"payload\":01}", 1, 23), ("\u{feff}{}", 1, 1), ("{'type':'a'}", 1, 2),
    ])
    func `a body that is not JSON is refused with line and column`(body: String, line: Int, column: Int) {
        let problem = problem { () throws(Problem) in _ = try job(body) }
        #expect(problem?.status == .badRequest)
        #expect(problem?.members.map(\.name) == ["line", "column"])
        #expect(problem?.members.map(\.value) == [.integer(line), .integer(column)])
    }

    @Test func `all errors are reported at once`() {
        let body = """
            {"type":"no blanks","queue":7,"priority":40000,"run_at":"soon","tags":["",1],"max_attempts":0,
             "backoff":{"kind":"never"},"trace_parent":"x","timeout_seconds":-1,"colour":"red","type":"again"}
            """
        let problem = problem { () throws(Problem) in _ = try job(body) }
        #expect(problem?.status == .unprocessableContent)
        #expect(
            pointers(problem) == [
                "/type", "/queue", "/priority", "/run_at", "/tags/0", "/tags/1", "/max_attempts", "/backoff",
                "/trace_parent", "/timeout_seconds", "/colour", "/type",
            ])
        #expect(problem?.detail == "the body has 12 errors")
    }

    @Test(arguments: ["null", "[]", "\"a\"", "7"])
    func `a body that is not an object is one error`(body: String) {
        let problem = problem { () throws(Problem) in _ = try job(body) }
        #expect(problem?.status == .unprocessableContent)
        #expect(pointers(problem) == [""])
    }

    @Test func `a payload of one byte too many is too large`() throws {
        let exact = try job(#"{"type":"a","payload":"12345678901234"}"#)
        #expect(exact.payload.count == 16)
        let problem = problem { () throws(Problem) in _ = try job(#"{"type":"a","payload":"123456789012345"}"#) }
        #expect(problem?.status == .contentTooLarge)
        #expect(pointers(problem) == ["/payload"])
    }

    @Test func `the trace of the request becomes the job's, unless the body has one`() throws {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let other = "00-11111111111111111111111111111111-2222222222222222-00"
        let field = "\r\ntraceparent: \(given)"
        #expect(try job(#"{"type":"a"}"#, fields: field).traceParent == given)
        #expect(try job(#"{"type":"a","trace_parent":"\#(other)"}"#, fields: field).traceParent == other)
        #expect(try job(#"{"type":"a"}"#).traceParent == nil)
        #expect(try job(#"{"type":"a"}"#, fields: "\r\ntraceparent: nonsense").traceParent == nil)
        #expect(try job(#"{"type":"a"}"#, fields: field + field).traceParent == nil)
    }

    // MARK: Batches

    @Test func `the jobs of a batch keep their order`() throws {
        let read = try jobs(#"{"jobs":[{"type":"a"},{"type":"b","payload":2}]}"#)
        #expect(read.map(\.type) == ["a", "b"])
    }

    @Test func `the errors of all jobs of a batch are reported, each with its pointer`() {
        let problem = problem { () throws(Problem) in
            _ = try jobs(#"{"jobs":[{"type":"a"},{"queue":"q"},7],"more":1,"jobs":[]}"#)
        }
        #expect(problem?.status == .unprocessableContent)
        #expect(pointers(problem) == ["/jobs/1/type", "/jobs/2", "/more", "/jobs"])
    }

    @Test(arguments: [("{}", "/jobs"), (#"{"jobs":[]}"#, "/jobs"), (#"{"jobs":{}}"#, "/jobs"), ("[]", "")])
    func `a batch without jobs is refused`(body: String, pointer: String) {
        #expect(pointers(problem { () throws(Problem) in _ = try jobs(body) }) == [pointer])
    }

    @Test func `a batch of one job too many is refused`() {
        let batch = { (count: Int) in
            "{\"jobs\":[" + [String](repeating: #"{"type":"a"}"#, count: count).joined(separator: ",") + "]}"
        }
        #expect(throws: Never.self) { try jobs(batch(JobLimits.bulkJobsMax)) }
        let problem = problem { () throws(Problem) in _ = try jobs(batch(JobLimits.bulkJobsMax + 1)) }
        #expect(pointers(problem) == ["/jobs"])
    }

    // MARK: Actors

    @Test(arguments: [
        ("", Actor.unnamed), ("{}", .unnamed), (" {} ", .unnamed), (#"{"reason":"late"}"#, Actor(reason: "late")),
        (#"{"updated_by":"ada","reason":"late"}"#, Actor(name: "ada", reason: "late")),
    ])
    func `an actor and a reason are optional`(body: String, actor: Actor) throws {
        #expect(try BodyReader.actor(try request("POST /x HTTP/1.1", body: body)) == actor)
    }

    @Test(arguments: [
        (#"{"a":1}"#, "/a"), ("[]", ""), (#"{"reason":7}"#, "/reason"), (#"{"reason":""}"#, "/reason"),
        (#"{"reason":"a\nb"}"#, "/reason"), (#"{"updated_by":"\u0000"}"#, "/updated_by"),
        ("{\"reason\":\"\(String(repeating: "x", count: 1_001))\"}", "/reason"),
        ("{\"updated_by\":\"\(String(repeating: "x", count: 256))\"}", "/updated_by"),
    ])
    func `nothing but an actor and a reason is accepted`(body: String, pointer: String) throws {
        let request = try request("POST /x HTTP/1.1", body: body)
        let problem = problem { () throws(Problem) in _ = try BodyReader.actor(request) }
        #expect(problem?.status == .unprocessableContent)
        #expect(pointers(problem) == [pointer])
    }

    // MARK: Bulk changes

    private func bulk(_ body: String, _ verb: BulkChange.Verb = .retry) throws(Problem) -> BulkChange {
        guard let request = try? request("POST /api/jobs/retry HTTP/1.1", body: body) else {
            throw Problem(.internalServerError)
        }
        return try BodyReader.read(request) { input throws(JSONSyntaxError) in try BulkChange.read(&input, as: verb) }
    }

    @Test func `every member of a bulk change is read`() throws {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91"
        let all = try bulk(
            """
            {"filter":{"status":"failed","queue":"q","type":"t","since":"2026-01-01T00:00:00Z","ids":["\(id)"]},
             "limit":7,"dry_run":true,"rate_per_second":0.5,"reason":"r","updated_by":"ada"}
            """)
        #expect(all.filter.status == .failed && all.filter.queue == "q" && all.filter.type == "t")
        #expect(all.filter.since != nil && all.filter.ids?.count == 1)
        #expect(all.limit == 7 && all.isDryRun && all.ratePerSecond == 0.5)
        #expect(all.actor == Actor(name: "ada", reason: "r"))
        let bare = try bulk(#"{"filter":{"tag":"a"}}"#)
        #expect(bare.limit == 1_000 && !bare.isDryRun && bare.ratePerSecond == nil && bare.actor == .unnamed)
    }

    @Test(arguments: [
        ("{}", ["/filter"]), (#"{"filter":{}}"#, ["/filter"]), (#"{"filter":null}"#, ["/filter"]),
        (#"{"filter":{"status":"running"}}"#, ["/filter/status"]),
        (#"{"filter":{"ids":[]}}"#, ["/filter/ids"]),
        (#"{"filter":{"ids":["x",1]}}"#, ["/filter/ids/0", "/filter/ids/1"]),
        (#"{"filter":{"ids":["0190163d-8694-739b-aea5-966c26f8ad91"],"tag":"a"}}"#, ["/filter/ids"]),
        (
            #"{"filter":{"worker":"w","tag":""},"limit":0,"rate_per_second":0,"all":true}"#,
            ["/filter/worker", "/filter/tag", "/limit", "/rate_per_second", "/all"]
        ),
    ])
    func `all errors of a bulk change are reported`(body: String, wanted: [String]) {
        let problem = problem { () throws(Problem) in _ = try bulk(body) }
        #expect(problem?.status == .unprocessableContent)
        #expect(pointers(problem).sorted() == wanted.sorted())
    }

    @Test func `a cancel has no rate`() {
        let body = #"{"filter":{"queue":"q"},"rate_per_second":1}"#
        #expect(pointers(problem { () throws(Problem) in _ = try bulk(body, .cancel) }) == ["/rate_per_second"])
    }
}
