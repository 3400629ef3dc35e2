internal import JSON
internal import Jobs

/// `fail`: fails as the payload says, to see what retries do. `{"times": 2}` fails the first two attempts and succeeds
/// then; without `times` every attempt fails. `"error"` is the message, and `"permanent": true` fails for good.
struct FailHandler: Handler {
    func run(_ job: LeasedJob, stop: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        guard let goal = Goal(job.payload) else {
            return .failed(
                error: "the payload of fail must be null or an object with the members "
                    + "times (an integer, not negative), error (a string) and permanent (true or false)")
        }
        guard Int(job.attempt) <= goal.times else { return .succeeded(result: nil) }
        return goal.isPermanent ? .failed(error: goal.error) : .retry(error: goal.error, afterSeconds: nil)
    }

    private struct Goal {
        var times = Int.max
        var error = "failed as the payload asked for"
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
