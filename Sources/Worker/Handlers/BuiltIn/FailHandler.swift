internal import JSON
internal import Jobs

/// `fail`: fails, for experiments with retries. `{"times": 2}` fails the first two attempts, then succeeds; without
/// `times` every attempt fails. `"error"` is the message, and `"permanent": true` makes the failure permanent.
struct FailHandler: Handler {
    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        guard let options = Options(job.payload) else {
            return .failed(
                error: "the payload of fail must be null or an object with the optional members "
                    + "times (an integer, 0 or more), error (a string) and permanent (true or false)")
        }
        guard Int(job.attempt) <= options.times else { return .succeeded(result: nil) }
        return options.isPermanent ? .failed(error: options.error) : .retry(error: options.error, afterSeconds: nil)
    }

    private struct Options {
        var times = Int.max
        var error = "failed on request of the payload"
        var isPermanent = false

        init?(_ payload: [UInt8]) {
            switch try? JSONValue(parsing: payload) {
            case .null: return
            case .object(let members):
                for member in members where !take(member) { return nil }
            default: return nil
            }
        }

        private mutating func take(_ member: JSONMember) -> Bool {
            switch (member.name, member.value) {
            case ("times", let value):
                guard let count = value.integer, count >= 0 else { return false }
                times = count
            case ("error", .string(let text)): error = text
            case ("permanent", .bool(let value)): isPermanent = value
            default: return false
            }
            return true
        }
    }
}
