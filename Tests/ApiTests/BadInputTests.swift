import JSON
import Telemetry
import TestKit
import Testing

/// Invalid requests get a clear error, and store nothing.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let what: String
        var method = "POST"
        var target = "/api/jobs"
        var headers: [(name: String, value: String)] = []
        var body: String?
        let status: Int
        /// Texts that the problem document must contain.
        let says: [String]

        var testDescription: String { what }
    }

    private static let cases = [
        Case(
            what: "JSON that ends early", body: "{\"type\":\"echo\",\n \"payload\":", status: 400,
            says: ["unexpected end of input", #""line":2,"column":12"#]),
        Case(what: "no JSON at all", body: "type=echo", status: 400, says: [#""line":1,"column":2"#]),
        Case(what: "an empty body", body: "", status: 400, says: ["unexpected end of input"]),
        Case(what: "two values", body: "{\"type\":\"a\"}{}", status: 400, says: ["line 1, column 13"]),
        Case(
            what: "deep nesting",
            body: "{\"type\":\"a\",\"payload\":" + String(repeating: "[", count: 100_000), status: 400,
            says: ["objects and arrays are nested deeper than 512 levels"]),
        Case(
            what: "an unknown member", body: #"{"type":"a","prioritty":1}"#, status: 422,
            says: [#"{"pointer":"/prioritty","detail":"is not a known member; did you mean `priority`?"}"#]),
        Case(
            what: "wrong types, all of them", body: #"{"type":1,"queue":[],"priority":"1","tags":{}}"#, status: 422,
            says: [#""pointer":"/type""#, #""pointer":"/queue""#, #""pointer":"/priority""#, #""pointer":"/tags""#]),
        Case(
            what: "no type", body: "{}", status: 422,
            says: [#"{"pointer":"/type","detail":"is required"}"#]),
        Case(
            what: "a bad run_at", body: #"{"type":"a","run_at":"2030-02-30T00:00:00Z"}"#, status: 422,
            says: [#""pointer":"/run_at""#, "names a day that does not exist"]),
        Case(
            what: "a number out of range", body: #"{"type":"a","max_attempts":0,"priority":99999}"#, status: 422,
            says: ["an integer from 1 to 10000", "an integer from -32768 to 32767"]),
        Case(
            what: "a name with NUL", body: #"{"type":"a\u0000b","tags":["\u0000"]}"#, status: 422,
            says: [#""pointer":"/type""#, #""pointer":"/tags/0""#]),
        Case(
            what: "a payload that is too long",
            body: #"{"type":"a","payload":"\#(String(repeating: "x", count: 1_048_575))"}"#, status: 413,
            says: ["is 1048577 bytes long; at most 1048576 are accepted"]),
        Case(
            what: "a body that is too long",
            headers: [
                ("Content-Type", "application/json"), ("Content-Length", "99999999"), ("Expect", "100-continue"),
            ],
            status: 413, says: ["the body is longer than"]),
        Case(
            what: "another media type", headers: [("Content-Type", "text/plain")], body: "{}", status: 415,
            says: ["Content-Type: application/json"]),
        Case(
            what: "a compressed body", headers: [("Content-Encoding", "gzip")], body: "{}", status: 415,
            says: ["not compressed"]),
        Case(
            what: "a wrong method", method: "DELETE", status: 405, says: ["this path accepts GET, HEAD, POST, OPTIONS"]),
        Case(what: "an unknown method", method: "BREW", status: 501, says: ["the method is not implemented"]),
        Case(what: "an unknown path", target: "/api/job", status: 404, says: ["no such path"]),
        Case(
            what: "an unknown parameter", method: "GET", target: "/api/jobs?colour=red&limit=0", status: 400,
            says: [#""parameter":"colour""#, #""parameter":"limit""#]),
        Case(
            what: "a repeated parameter", method: "GET", target: "/api/jobs?queue=a&queue=b", status: 400,
            says: [#"{"parameter":"queue","detail":"appears more than once"}"#]),
        Case(
            what: "a parameter that does nothing", target: "/api/jobs?priority=1&dry_run", body: #"{"type":"a"}"#,
            status: 400,
            says: [
                #"{"parameter":"priority","detail":"is not a known parameter; none is accepted"},"#
                    + #"{"parameter":"dry_run""#
            ]),
        Case(
            what: "SQL in a filter", method: "GET", target: "/api/jobs?queue='%3B%20DROP%20TABLE%20job%3B--",
            status: 400,
            says: [#""parameter":"queue""#]),
        Case(
            what: "a body where none belongs", method: "GET", body: "{}", status: 400,
            says: ["this operation accepts no body"]),
        Case(
            what: "no host", headers: [("Host", "a"), ("Host", "b")], body: "{}", status: 400, says: ["Host"]),
        Case(
            what: "two lengths", headers: [("Transfer-Encoding", "chunked")], body: "{}", status: 400, says: []),
    ]

    @Test func `an invalid request gets a clear error, and stores nothing`() async throws {
        try await withApi { api, fixture in
            for bad in Self.cases {
                let answer = try await api.client.request(
                    bad.method, bad.target, headers: bad.headers, body: bad.body)
                #expect(answer.status == bad.status, "\(bad.what): \(answer.text)")
                #expect(answer["Content-Type"] == "application/problem+json", "\(bad.what)")
                #expect(answer["X-Request-Id"]?.isEmpty == false, "\(bad.what)")
                for part in bad.says { #expect(answer.text.contains(part), "\(bad.what): \(answer.text)") }
                let problem = try answer.json
                #expect(problem["status"]?.integer == bad.status, "\(bad.what)")
            }
            #expect(try await api.client.request("DELETE", "/api/jobs")["Allow"] == "GET, HEAD, POST, OPTIONS")
            #expect(try await fixture.count("job") == 0)
            #expect(try await fixture.count("transition_delta") == 0)
            let errors = api.log.records.filter { $0.level == .error }.map(\.message)
            #expect(errors.isEmpty, "\(errors)")
        }
    }

    @Test func `a payload of the maximum length is stored byte for byte`() async throws {
        try await withApi { api, _ in
            let payload = "\"" + String(repeating: "é", count: 524_287) + "\""
            #expect(payload.utf8.count == 1_048_576)
            let id = try await api.createJob(#"{"type":"a","payload":\#(payload)}"#)
            let shown = try await api.client.request("GET", "/api/jobs/\(id)", within: .seconds(30))
            #expect(shown.text.contains(#""payload":\#(payload),"#))
        }
    }
}
