import EventLoop
import Values

/// Calls `probe` repeatedly until it returns a value: for effects of other processes and the kernel that have no
/// signal.
///
/// Throws `NotInTime` with the sentence `what` after `duration`, and rethrows errors of `probe` at once.
@discardableResult
func waitFor<Value>(
    isolation: isolated (any Actor)? = #isolation, _ what: String, within duration: Duration = .seconds(20),
    _ probe: () async throws -> Value?
) async throws -> Value {
    let deadline = MonotonicInstant.now() + duration
    while true {
        if let value = try await probe() { return value }
        guard MonotonicInstant.now() < deadline else {
            throw NotInTime(description: "waited \(duration) without success until \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// The same for a condition.
func waitUntil(
    isolation: isolated (any Actor)? = #isolation, _ what: String, within duration: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws {
    try await waitFor(what, within: duration) { try await condition() ? true : nil }
}

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}
