import EventLoop
import Values

/// Asks `probe` again and again until it answers: for events that other processes and the kernel bring about.
///
/// Throws `NotInTime` with the sentence `what` after `duration`, and at once any error of `probe`.
@discardableResult
public func waitFor<Value>(
    isolation: isolated (any Actor)? = #isolation, _ what: String, within duration: Duration = .seconds(20),
    _ probe: () async throws -> Value?
) async throws -> Value {
    let deadline = MonotonicInstant.now() + duration
    while true {
        if let value = try await probe() { return value }
        guard MonotonicInstant.now() < deadline else {
            throw NotInTime(description: "waited \(duration) without success until \(what)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The same for a condition.
public func waitUntil(
    isolation: isolated (any Actor)? = #isolation, _ what: String, within duration: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws {
    try await waitFor(what, within: duration) { try await condition() ? true : nil }
}

public struct NotInTime: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}
