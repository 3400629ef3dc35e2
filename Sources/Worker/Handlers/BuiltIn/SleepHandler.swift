internal import EventLoop
internal import JSON
internal import Jobs

/// `sleep`: waits for the seconds in the payload, `2.5` or `{"seconds": 2.5}`, then succeeds without a result.
struct SleepHandler: Handler {
    /// The longest sleep: a day.
    static let secondsMax = 86_400.0

    let loop: Loop

    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        guard let seconds = SleepHandler.seconds(in: job.payload) else {
            return .failed(
                error: "the payload of sleep must be {\"seconds\": n} or n, with n from 0 to \(Int(Self.secondsMax))")
        }
        let loop = loop
        let sleep = loop.spawn { try? await loop.sleep(for: .seconds(seconds)) }
        cancellation.onRequest { _ in sleep.cancel() }
        await sleep.value
        return cancellation.reason == nil ? .succeeded(result: nil) : .released
    }

    private static func seconds(in payload: [UInt8]) -> Double? {
        guard let value = try? JSONValue(parsing: payload), let seconds = value["seconds"]?.double ?? value.double,
            seconds >= 0, seconds <= secondsMax
        else { return nil }
        return seconds
    }
}
