import EventLoop
import Jobs
import Testing
import Values

@testable import Worker

@Suite struct BuiltInHandlerTests {
    @Test func `echo returns the payload byte for byte`() async {
        let payload = #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000"}"#
        #expect(await EchoHandler().run(leasedJob(payload)) == .succeeded(result: Array(payload.utf8)))
    }

    @Test func `echo fails permanently when the payload exceeds the maximum of a result`() async {
        let result = await EchoHandler().run(leasedJob("\"\(String(repeating: "a", count: 1_048_576))\""))
        #expect(result.finalError == "the payload has 1048578 bytes; the maximum of a result is 1048576")
    }

    @Test(arguments: ["0.05", #"{"seconds": 0.05}"#])
    func `sleep waits for the number of seconds in the payload`(payload: String) async throws {
        try await onLoop { loop in
            let start = MonotonicInstant.now()
            #expect(await SleepHandler(loop: loop).run(leasedJob(payload)) == .succeeded(result: nil))
            #expect(MonotonicInstant.now() - start >= .milliseconds(50))
        }
    }

    @Test(arguments: ["null", "-1", "86401", "\"1\"", "{}", "{\"seconds\":true}", "1e400"])
    func `sleep rejects a payload that is not a number of seconds`(payload: String) async throws {
        try await onLoop { loop in
            let result = await SleepHandler(loop: loop).run(leasedJob(payload))
            #expect(result.finalError == "the payload of sleep must be {\"seconds\": n} or n, with n from 0 to 86400")
        }
    }

    @Test func `sleep ends at once when it is cancelled, before its start or later`() async throws {
        try await onLoop { loop in
            let early = Cancellation()
            early.request(.shutdown)
            #expect(await SleepHandler(loop: loop).run(leasedJob("86400"), cancellation: early) == .released)
            let late = Cancellation()
            loop.schedule(at: .now() + .milliseconds(20)) { late.request(.deadline) }
            #expect(await SleepHandler(loop: loop).run(leasedJob("86400"), cancellation: late) == .released)
        }
    }

    @Test func `fail fails the number of times in the payload, with its message`() async {
        let payload = #"{"times": 2, "error": "not yet"}"#
        for attempt in Int16(1)...2 {
            let result = await FailHandler().run(leasedJob(payload, attempt: attempt))
            #expect(result == .retry(error: "not yet", afterSeconds: nil))
        }
        #expect(await FailHandler().run(leasedJob(payload, attempt: 3)) == .succeeded(result: nil))
    }

    @Test(arguments: ["null", "{}"])
    func `fail without times fails every attempt`(payload: String) async {
        let result = await FailHandler().run(leasedJob(payload, attempt: 10_000))
        #expect(result.retryError == "failed on request of the payload")
    }

    @Test func `fail with permanent fails permanently`() async {
        #expect(await FailHandler().run(leasedJob(#"{"permanent":true,"error":"no"}"#)) == .failed(error: "no"))
    }

    @Test(arguments: ["3", #"{"times":-1}"#, #"{"times":"2"}"#, #"{"tiems":2}"#, #"{"permanent":1}"#])
    func `fail rejects an invalid payload`(payload: String) async {
        #expect(
            await FailHandler().run(leasedJob(payload)).finalError?.hasPrefix("the payload of fail must be") == true)
    }
}
