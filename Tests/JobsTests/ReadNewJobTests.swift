import JSON
import Jobs
import Postgres
import Telemetry
import Testing
import Values

@Suite struct ReadNewJobTests {
    private func read(_ text: String, payloadBytesMax: Int = 1_000) throws -> (job: NewJob?, errors: InputErrors) {
        let (job, errors) = try InputReader.read(Array(text.utf8)) { input throws(JSONSyntaxError) in
            try NewJob.read(&input, payloadBytesMax: payloadBytesMax)
        }
        return (job, errors)
    }

    /// The pointers of the errors, in order.
    private func pointers(_ text: String) throws -> [String] {
        let (job, errors) = try read(text)
        #expect(job == nil || errors.isEmpty)
        return errors.all.map(\.pointer.text)
    }

    @Test func `a type alone is a job`() throws {
        let (job, errors) = try read(#"{"type":"mail"}"#)
        let made = try #require(job)
        #expect(errors.isEmpty)
        #expect(made.type == "mail")
        #expect(made.queue == "default")
        #expect(made.payload == Array("null".utf8))
        #expect(made.priority == 0)
        #expect(made.runAt == nil)
        #expect(made.maxAttempts == 25)
        #expect(made.timeoutSeconds == 300)
        #expect(made.cancelGraceSeconds == 10)
        #expect(made.teardown == nil)
        #expect(made.backoff == .standard)
        #expect(made.tags == [])
        #expect(made.traceParent == nil)
    }

    @Test func `every member is read`() throws {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let (job, errors) = try read(
            """
            {"type": "mail", "queue": "bulk/eu", "payload": {"to": 1}, "priority": -7,
             "run_at": "2030-01-31T09:30:00Z", "max_attempts": 3, "timeout_seconds": 0,
             "cancel_grace_seconds": 90, "teardown": {"type": "clean", "payload": [1.0]},
             "backoff": {"kind": "fixed", "base_seconds": 2.5}, "tags": ["a", "b"], "trace_parent": "\(trace)"}
            """)
        let made = try #require(job)
        #expect(errors.isEmpty)
        #expect(made.type == "mail")
        #expect(made.queue == "bulk/eu")
        #expect(made.payload == Array(#"{"to": 1}"#.utf8))
        #expect(made.priority == -7)
        #expect(made.runAt?.description == "2030-01-31T09:30:00.000000Z")
        #expect(made.maxAttempts == 3)
        #expect(made.timeoutSeconds == 0)
        #expect(made.cancelGraceSeconds == 90)
        #expect(made.teardown == Array(#"{"type": "clean", "payload": [1.0]}"#.utf8))
        #expect(made.backoff == .fixed(baseSeconds: 2.5))
        #expect(made.tags == ["a", "b"])
        #expect(made.traceParent == trace)
    }

    @Test func `a name may be written with escapes`() throws {
        let (job, _) = try read(#"{"\u0074ype":"ma\u0069l"}"#)
        #expect(job?.type == "mail")
    }

    // MARK: Errors

    @Test func `all errors are said at once, each at its place`() throws {
        let text = """
            {"queue": "a b", "payload": 1, "priority": 40000, "run_at": "tomorrow", "max_attempts": 0,
             "timeout_seconds": -1, "backoff": {"kind": "fixed"}, "tags": ["", 5], "trace_parent": "00", "colour": 1,
             "priority": 1}
            """
        let places = [
            "/queue", "/priority", "/run_at", "/max_attempts", "/timeout_seconds", "/backoff", "/tags/0", "/tags/1",
            "/trace_parent", "/colour", "/priority", "/type",
        ]
        #expect(try pointers(text) == places)
    }

    @Test(arguments: ["[]", "null", "\"mail\"", "5"])
    func `what is no object is said once`(text: String) throws {
        let (job, errors) = try read(text)
        #expect(job == nil)
        #expect(errors.all.map(\.pointer) == [.root])
        #expect(errors.all[0].detail.hasPrefix("must be an object, not"))
    }

    @Test func `a job without a type is told so`() throws {
        let (_, errors) = try read("{}")
        #expect(errors.all.map(\.detail) == ["is required"])
        #expect(errors.all.map(\.pointer.text) == ["/type"])
    }

    @Test func `unknown and repeated members are errors, whatever their spelling`() throws {
        #expect(try pointers(#"{"type":"a","Type":"b"}"#) == ["/Type"])
        #expect(try pointers(#"{"type":"a","\u0074ype":"b"}"#) == ["/type"])
        #expect(try pointers(#"{"type":"a","a/b~c":1}"#) == ["/a~1b~0c"])
        #expect(try pointers("{\"type\":\"a\",\"\u{e9}\":1,\"e\u{301}\":1}") == ["/\u{e9}", "/e\u{301}"])
        #expect(try pointers(#"{"type":"a","backoff":{"kind":"none","kind":"none"}}"#) == ["/backoff/kind"])
        #expect(try pointers(#"{"type":"a","backoff":{"kind":"none","factor":2}}"#) == ["/backoff/factor"])
    }

    @Test(arguments: [
        (#""type":5"#, "/type"), (#""type":null"#, "/type"), (#""queue":null"#, "/queue"),
        (#""priority":"5""#, "/priority"), (#""priority":null"#, "/priority"), (#""priority":[5]"#, "/priority"),
        (#""run_at":1700000000"#, "/run_at"), (#""max_attempts":true"#, "/max_attempts"),
        (#""delay_seconds":"1""#, "/delay_seconds"), (#""delay_seconds":1.5"#, "/delay_seconds"),
        (#""delay_seconds":-1"#, "/delay_seconds"), (#""delay_seconds":31536001"#, "/delay_seconds"),
        (#""timeout_seconds":"1""#, "/timeout_seconds"), (#""backoff":"none""#, "/backoff"),
        (#""backoff":{"kind":5}"#, "/backoff/kind"),
        (#""backoff":{"kind":"fixed","base_seconds":"1"}"#, "/backoff/base_seconds"), (#""tags":"a""#, "/tags"),
        (#""tags":[["a"]]"#, "/tags/0"), (#""trace_parent":1"#, "/trace_parent"),
    ])
    func `a value of the wrong kind is an error at its place`(member: String, pointer: String) throws {
        let text = member.hasPrefix(#""type""#) ? "{\(member)}" : #"{"type":"a",\#(member)}"#
        #expect(try pointers(text) == [pointer])
    }

    @Test(arguments: [#"{"type":"a",}"#, #"{"type":"a"} x"#, #"{"type":"a""#, "", #"{"tags":["a",]}"#])
    func `broken JSON is thrown and not collected`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try read(text) }
    }

    @Test func `a thousand errors are counted, and a hundred said`() throws {
        let members = (0..<1_000).map { "\"m\($0)\":0" }.joined(separator: ",")
        let (job, errors) = try read("{\"type\":\"a\",\(members)}")
        #expect(job == nil)
        #expect(errors.count == 1_000)
        #expect(errors.all.count == InputErrors.countMax)
    }

    // MARK: Limits

    @Test(arguments: ["a", "A-Z.0_9:/x", String(repeating: "n", count: 128)])
    func `a name of the alphabet is one`(name: String) throws {
        #expect(TextRule.name.accepts(name))
        let (job, _) = try read("{\"type\":\"\(name)\",\"queue\":\"\(name)\"}")
        #expect(job?.type == name)
        #expect(job?.queue == name)
    }

    @Test(arguments: [
        "", " ", "a b", "a\n", "\u{e9}", "a,b", "a\u{0}", "a\r\n", "a'b", String(repeating: "n", count: 129),
    ])
    func `what is not of the alphabet is no name`(name: String) {
        #expect(!TextRule.name.accepts(name))
    }

    @Test(arguments: [
        ("priority", ["-32768", "32767", "0", "1e2", "1.0"], ["-32769", "32768", "1.5", "1e9"]),
        ("max_attempts", ["1", "10000"], ["0", "10001", "-1", "99999999999999999999"]),
        ("timeout_seconds", ["0", "2592000"], ["-1", "2592001", "0.5"]),
    ])
    func `a number is accepted up to its bounds`(member: String, good: [String], bad: [String]) throws {
        for number in good { #expect(try pointers("{\"type\":\"a\",\"\(member)\":\(number)}") == [], "\(number)") }
        for number in bad {
            let (_, errors) = try read("{\"type\":\"a\",\"\(member)\":\(number)}")
            #expect(errors.all.map(\.pointer.text) == ["/\(member)"], "\(number)")
            #expect(errors.all.first?.detail.hasPrefix("must be an integer from ") == true)
        }
    }

    @Test(arguments: [
        ("2030-01-31T09:30:00Z", "2030-01-31T09:30:00.000000Z"),
        ("2030-01-31t09:30:00z", "2030-01-31T09:30:00.000000Z"),
        ("2030-01-31T09:30:00.1234567+02:00", "2030-01-31T07:30:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ])
    func `run_at is an instant of RFC 3339`(written: String, instant: String) throws {
        let (job, _) = try read("{\"type\":\"a\",\"run_at\":\"\(written)\"}")
        #expect(job?.runAt?.description == instant)
    }

    @Test(arguments: [
        "", "now", "2030-01-31", "2030-01-31T09:30:00", "2030-01-31 09:30:00Z", "2030-02-30T00:00:00Z",
        "2030-01-31T24:00:00Z", "2030-01-31T09:30:60Z", "1900000000", "+2030-01-31T09:30:00Z",
        "0001-01-01T00:00:00+01:00",
    ])
    func `what is no instant is refused`(written: String) throws {
        #expect(try pointers("{\"type\":\"a\",\"run_at\":\"\(written)\"}") == ["/run_at"])
    }

    @Test(arguments: [
        (#"{"kind":"standard"}"#, Backoff.standard), (#"{"kind":"none"}"#, Backoff.none),
        (#"{"kind":"fixed","base_seconds":0}"#, .fixed(baseSeconds: 0)),
        (#"{"base_seconds":604800,"kind":"fixed"}"#, .fixed(baseSeconds: 604_800)),
        (
            #"{"kind":"exponential","base_seconds":0.5,"max_seconds":60}"#,
            .exponential(baseSeconds: 0.5, maxSeconds: 60)
        ),
    ])
    func `every form of backoff is read, and written as it was read`(written: String, backoff: Backoff) throws {
        let (job, errors) = try read("{\"type\":\"a\",\"backoff\":\(written)}")
        #expect(errors.isEmpty)
        #expect(job?.backoff == backoff)
        var writer = JSONWriter()
        backoff.write(to: &writer)
        let again = try read("{\"type\":\"a\",\"backoff\":\(String(decoding: writer.finish(), as: UTF8.self))}")
        #expect(again.job?.backoff == backoff)
    }

    @Test(arguments: [
        ("{}", "/backoff"), (#"{"kind":"linear"}"#, "/backoff"), (#"{"kind":"none","base_seconds":1}"#, "/backoff"),
        (#"{"kind":"fixed"}"#, "/backoff"), (#"{"kind":"fixed","base_seconds":1,"max_seconds":2}"#, "/backoff"),
        (#"{"kind":"exponential","base_seconds":1}"#, "/backoff"),
        (#"{"kind":"fixed","base_seconds":-1}"#, "/backoff/base_seconds"),
        (#"{"kind":"fixed","base_seconds":604801}"#, "/backoff/base_seconds"),
        (#"{"kind":"fixed","base_seconds":1e400}"#, "/backoff/base_seconds"),
        (#"{"kind":"exponential","base_seconds":1,"max_seconds":604801}"#, "/backoff/max_seconds"),
    ])
    func `a backoff that lacks or exceeds something is refused`(written: String, pointer: String) throws {
        #expect(try pointers("{\"type\":\"a\",\"backoff\":\(written)}") == [pointer])
    }

    @Test func `a delay is a number of seconds, and excludes run_at`() throws {
        #expect(try read(#"{"type":"a","delay_seconds":0}"#).0?.delaySeconds == 0)
        #expect(try read(#"{"type":"a","delay_seconds":31536000}"#).0?.delaySeconds == 31_536_000)
        #expect(try read(#"{"type":"a"}"#).0?.delaySeconds == nil)
        let (_, errors) = try read(#"{"type":"a","delay_seconds":5,"run_at":"2030-01-31T09:30:00Z"}"#)
        #expect(errors.all.map(\.pointer.text) == ["/delay_seconds"])
        #expect(errors.all.map(\.detail) == ["excludes `run_at`"])
    }

    // MARK: Tags

    @Test(arguments: [
        (#"{}"#, ["/teardown/type"]), ("7", ["/teardown"]), (#"{"type":"a b"}"#, ["/teardown/type"]),
        (#"{"type":"a","queue":1,"x":2}"#, ["/teardown/queue", "/teardown/x"]),
        (#"{"type":"a","run_at":"2030-01-31T09:30:00Z"}"#, ["/teardown/run_at"]),
        (#"{"type":"a","delay_seconds":5}"#, ["/teardown/delay_seconds"]),
        (#"{"type":"a","teardown":{"type":"b"}}"#, ["/teardown/teardown"]),
        (#"{"type":"a","unique_key":"k","unique_for":"active"}"#, ["/teardown/unique_key", "/teardown/unique_for"]),
    ])
    func `a teardown is checked as a job is, and does not wait or nest`(written: String, places: [String]) throws {
        #expect(try pointers(#"{"type":"job","teardown":\#(written)}"#) == places)
    }

    @Test func `tags are distinct by their bytes`() throws {
        let (job, _) = try read("{\"type\":\"a\",\"tags\":[\"x\",\"y\",\"x\",\"\u{e9}\",\"e\u{301}\"]}")
        #expect(job?.tags.map { Array($0.utf8) } == ["x", "y", "\u{e9}", "e\u{301}"].map { Array($0.utf8) })
    }

    @Test func `tags are accepted up to their number and length`() throws {
        let most = (0..<32).map { "\"t\($0)\"" }.joined(separator: ",")
        #expect(try pointers("{\"type\":\"a\",\"tags\":[\(most)]}") == [])
        #expect(try pointers("{\"type\":\"a\",\"tags\":[\(most),\"t32\",\"\",5]}") == ["/tags"])
        let long = String(repeating: "t", count: 128)
        #expect(try pointers("{\"type\":\"a\",\"tags\":[\"\(long)\"]}") == [])
        #expect(try pointers("{\"type\":\"a\",\"tags\":[\"\(long)t\"]}") == ["/tags/0"])
        #expect(
            try pointers(#"{"type":"a","tags":["\u0000","\n","\u007f",""]}"#)
                == ["/tags/0", "/tags/1", "/tags/2", "/tags/3"])
    }

    // MARK: Keys

    @Test(
        arguments: [
            (#""unique_key":"k""#, "k", nil), (#""unique_for":"active","unique_key":"k""#, "k", nil),
            (#""unique_key":"\u00e9 k","unique_for":1"#, "\u{e9} k", 1),
            (#""unique_for":31536000,"unique_key":"k""#, "k", 31_536_000),
        ] as [(String, String, Int32?)])
    func `a unique key has a period, by default until the job ends`(members: String, key: String, seconds: Int32?)
        throws
    {
        let job = try read("{\"type\":\"a\",\(members)}").job
        #expect(job?.uniqueKey == key)
        #expect(job?.uniqueSeconds == seconds)
    }

    @Test(arguments: [
        (#""unique_key":"""#, "/unique_key"), (#""unique_key":5"#, "/unique_key"),
        (#""unique_key":"\n""#, "/unique_key"),
        (#""unique_for":60"#, "/unique_for"), (#""unique_key":"k","unique_for":0"#, "/unique_for"),
        (#""unique_key":"k","unique_for":31536001"#, "/unique_for"),
        (#""unique_key":"k","unique_for":1.5"#, "/unique_for"),
        (#""unique_key":"k","unique_for":"for ever""#, "/unique_for"),
        (#""unique_key":"k","unique_for":null"#, "/unique_for"),
        (#""concurrency_key":"""#, "/concurrency_key"),
    ])
    func `what is no key or no period is refused`(members: String, pointer: String) throws {
        #expect(try pointers("{\"type\":\"a\",\(members)}") == [pointer])
    }

    // MARK: Payloads

    @Test(arguments: [
        #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2}}"#,
        #"{"a":1,"a":2}"#, #""\ud800""#, "[ 1,\t2 ]", "null", "-0.0", "\"\u{2028}\u{7f}\"",
    ])
    func `a payload is kept byte for byte`(payload: String) throws {
        let (job, errors) = try read("{\"type\":\"a\",\"payload\": \(payload) }")
        #expect(errors.isEmpty)
        #expect(job?.payload == Array(payload.utf8))
    }

    @Test func `a payload is accepted up to its length`() throws {
        let text = "{\"type\":\"a\",\"payload\":\"\(String(repeating: "p", count: 98))\"}"
        #expect(try read(text, payloadBytesMax: 100).job?.payload.count == 100)
        let (job, errors) = try read(text, payloadBytesMax: 99)
        #expect(job == nil)
        #expect(errors.hasOversizedValue)
        #expect(errors.all.map(\.pointer.text) == ["/payload"])
        #expect(errors.all.map(\.detail) == ["is 100 bytes long; at most 99 are accepted"])
    }
}
