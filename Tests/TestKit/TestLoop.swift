public import EventLoop

/// The loop of the tests' child processes and sockets. Its thread ends with the test process, and the kernel then kills
/// the child processes, also after a crash.
public enum TestLoop {
    public static let shared: Loop = {
        do {
            return try Loop.start(label: "tests")
        } catch {
            fatalError("the tests' loop does not start: \(error)")
        }
    }()

    /// Runs `body` on the loop's thread.
    public static func run<Value: Sendable, Failure: Error>(
        _ body: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withTaskExecutorPreference(shared) { () async throws(Failure) in try await body() }
    }
}
