import JSON
import Pauses
import Testing
import Values

@Suite struct PauseChangeTests {
    private func read(
        _ body: String, _ action: PauseChange.Action = .pause, scope: PauseScope? = nil
    ) throws -> (change: PauseChange, errors: [String]) {
        let (change, errors) = try InputReader.read(Array(body.utf8)) { input throws(JSONSyntaxError) in
            try PauseChange.read(&input, action, scope: scope)
        }
        return (change, errors.all.map { "\($0.pointer): \($0.detail)" })
    }

    @Test func `every field of a pause is read`() throws {
        let (change, errors) = try read(
            """
            {"scope":"type:mail","reason":"r","updated_by":"ada","expected_version":7,"wait_seconds":60,
             "resume_at":"2030-01-01T00:00:00Z","cancel_running":true}
            """)
        #expect(errors == [])
        #expect(change.action == .pause && change.scope == .type("mail"))
        #expect(change.reason == "r" && change.updatedBy == "ada")
        #expect(change.expectedVersion == 7 && change.waitSeconds == 60 && change.cancelsRunning)
        #expect(change.resumeAt?.description == "2030-01-01T00:00:00.000000Z")
    }

    @Test func `optional fields have defaults`() throws {
        let (change, errors) = try read(#"{"reason":"r","updated_by":"ada"}"#, .resume)
        #expect(errors == [])
        #expect(change.action == .resume && change.scope == .all && change.expectedVersion == nil)
        #expect(change.waitSeconds == 0 && change.resumeAt == nil && !change.cancelsRunning)
    }

    @Test(arguments: [
        ("{}", ["/reason: is required", "/updated_by: is required"]), ("[]", [": must be an object, not an array"]),
        (
            #"{"reason":"a\nb","updated_by":"","scope":"queue:a b","wait_seconds":61,"expected_version":-1}"#,
            [
                "/reason: must be 1 to 1000 bytes without control characters",
                "/updated_by: must be 1 to 255 bytes without control characters",
                "/scope: must be all, queue:NAME or type:NAME",
                "/wait_seconds: must be an integer from 0 to 60",
                "/expected_version: must be an integer from 0 to 9223372036854775807",
            ]
        ),
        (
            #"{"reason":"a","updated_by":"b","wait_second":1,"cancel_running":1}"#,
            [
                "/wait_second: is not a known member; did you mean `wait_seconds`?",
                "/cancel_running: must be a boolean, not a number",
            ]
        ),
    ])
    func `all errors are reported`(body: String, wanted: [String]) throws {
        #expect(try read(body).errors == wanted)
    }

    @Test func `a resume has no end and cancels nothing`() throws {
        let body = #"{"reason":"r","updated_by":"ada","resume_at":"2030-01-01T00:00:00Z","cancel_running":true}"#
        #expect(
            try read(body, .resume).errors == [
                "/resume_at: is accepted for a pause only", "/cancel_running: is accepted for a pause only",
            ])
    }

    @Test func `the scope of a path is not given by the body`() throws {
        let body = #"{"reason":"r","updated_by":"ada","scope":"all"}"#
        let (change, errors) = try read(body, scope: .queue("q"))
        #expect(errors == ["/scope: is given by the path"] && change.scope == .queue("q"))
    }

    @Test(arguments: [
        ("all", PauseScope.all), ("queue:a/b", .queue("a/b")), ("type:t", .type("t")), ("queue:", nil),
        ("type:a b", nil),
        ("", nil), ("All", nil), ("queue:é", nil),
    ])
    func `a scope has a name that a queue or a type can have`(text: String, scope: PauseScope?) {
        #expect(PauseScope(input: text) == scope)
    }
}
