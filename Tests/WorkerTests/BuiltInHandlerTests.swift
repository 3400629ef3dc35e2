import EventLoop
import Jobs
import Testing
import Values

@testable import Worker

@Suite struct BuiltInHandlerTests {
    @Test func `echo gives the payload back byte for byte`() async {
        let payload = #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000"}"#
        #expect(await EchoHandler().run(leasedJob(payload)) == .succeeded(result: Array(payload.utf8)))
    }

    @Test func `echo fails for good on a payload that is too long to be a result`() async {
        let result = await EchoHandler().run(leasedJob("\"\(String(repeating: "a", count: 1_048_576))\""))
        #expect(result.finalError == "the payload has 1048578 bytes; at most 1048576 can be a result")
    }

    @Test(arguments: ["0.05", #"{"seconds": 0.05}"#])
    func `sleep waits as long as the payload says`(payload: String) async throws {
        try await onLoop { loop in
            let start = MonotonicInstant.now()
            #expect(await SleepHandler(loop: loop).run(leasedJob(payload)) == .succeeded(result: nil))
            #expect(MonotonicInstant.now() - start >= .milliseconds(50))
        }
    }

    @Test(arguments: ["null", "-1", "86401", "\"1\"", "{}", "{\"seconds\":true}", "1e400"])
    func `sleep refuses what is no number of seconds`(payload: String) async throws {
        try await onLoop { loop in
            let result = await SleepHandler(loop: loop).run(leasedJob(payload))
            #expect(result.finalError == "the payload of sleep must be {\"seconds\": n} or n, with n from 0 to 86400")
        }
    }

    @Test func `sleep ends at once when it is asked to stop, before it begins or later`() async throws {
        try await onLoop { loop in
            let early = Cancellation()
            early.request(.shutdown)
            #expect(await SleepHandler(loop: loop).run(leasedJob("86400"), stop: early) == .released)
            let late = Cancellation()
            loop.schedule(at: .now() + .milliseconds(20)) { late.request(.deadline) }
            #expect(await SleepHandler(loop: loop).run(leasedJob("86400"), stop: late) == .released)
        }
    }

    @Test func `fail fails as often as the payload says, with its message`() async {
        let payload = #"{"times": 2, "error": "not yet"}"#
        for attempt in Int16(1)...2 {
            let result = await FailHandler().run(leasedJob(payload, attempt: attempt))
            #expect(result == .retry(error: "not yet", afterSeconds: nil))
        }
        #expect(await FailHandler().run(leasedJob(payload, attempt: 3)) == .succeeded(result: nil))
    }

    @Test(arguments: ["null", "{}"])
    func `fail fails for ever when it is not told how often`(payload: String) async {
        let result = await FailHandler().run(leasedJob(payload, attempt: 10_000))
        #expect(result.retryError == "failed as the payload asked for")
    }

    @Test func `fail can fail for good`() async {
        #expect(await FailHandler().run(leasedJob(#"{"permanent":true,"error":"no"}"#)) == .failed(error: "no"))
    }

    @Test(arguments: ["3", #"{"times":-1}"#, #"{"times":"2"}"#, #"{"tiems":2}"#, #"{"permanent":1}"#])
    func `fail refuses a payload that it does not understand`(payload: String) async {
        #expect(
            await FailHandler().run(leasedJob(payload)).finalError?.hasPrefix("the payload of fail must be") == true)
    }
}
