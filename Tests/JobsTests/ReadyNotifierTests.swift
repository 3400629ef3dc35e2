import EventLoop
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@testable import Jobs

@Suite struct ReadyNotifierTests {
    /// Runs `body` with a notifier, and with what a listener hears.
    private func withNotifier(
        _ body: @Sendable (ReadyNotifier, Heard) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let pool = ConnectionPool(
                database.settings, profile: .notifying, options: ConnectionPool.Options(size: 1), on: TestLoop.shared)
            defer { pool.close() }
            let heard = Heard()
            let channel = ReadyNotifier.channel(schema: "jobqueue")
            let listener = NotificationListener(database.settings, channels: [channel], on: TestLoop.shared) {
                heard.accept($0)
            }
            listener.start()
            defer { listener.close() }
            try await waitUntil("listening") { heard.isListening }
            let logger = Logger(component: "tests", level: .error, sink: CollectedLog())
            try await body(ReadyNotifier(pool: pool, schema: "jobqueue", logger: logger), heard)
        }
    }

    private final class Heard: Sendable {
        private struct State {
            var isListening = false
            var payloads: [String] = []
        }
        private let state = Mutex(State())

        func accept(_ event: NotificationListener.Event) {
            state.withLock { state in
                switch event {
                case .listening: state.isListening = true
                case .notification(let notification): state.payloads.append(notification.payload)
                case .interrupted(let reason): Issue.record("the listener was interrupted: \(reason)")
                }
            }
        }

        var isListening: Bool { state.withLock { $0.isListening } }
        var payloads: [String] { state.withLock { $0.payloads } }
        var queues: Set<String> {
            Set(payloads.flatMap { $0.split(separator: ",").map(String.init) })
        }
    }

    @Test func `a job that becomes ready at once is notified at once`() async throws {
        try await withNotifier { notifier, heard in
            for _ in 0..<1_000 { notifier.notify(["a", "b"]) }
            try await waitUntil("a notification") { !heard.payloads.isEmpty }
            #expect(heard.queues == ["a", "b"])
            #expect(heard.payloads.count == 1)
        }
    }

    @Test func `a stream of jobs shares notifications, and the last is not lost`() async throws {
        try await withNotifier { notifier, heard in
            let start = MonotonicInstant.now()
            var told = 0
            while .now() - start < .milliseconds(100) {
                notifier.notify(["q\(told % 100)"])
                told += 1
                await Task.yield()
            }
            notifier.notify(["last"])
            try await waitUntil("the last notification") { heard.queues.contains("last") }
            let elapsed = MonotonicInstant.now() - start
            #expect(told > heard.payloads.count)
            #expect(heard.payloads.count <= Int(elapsed / NotifyPace.interval) + NotifyPace.burst + 1)
            #expect(heard.queues.count == min(told, 100) + 1)
        }
    }

    @Test func `more names than fit in one notification are sent in several`() async throws {
        try await withNotifier { notifier, heard in
            let names = (0..<200).map { "\($0)-" + String(repeating: "n", count: 120) }
            notifier.notify(names)
            try await waitUntil("every name") { heard.queues.count == names.count }
            #expect(heard.queues == Set(names))
            #expect(heard.payloads.count > 1)
            #expect(heard.payloads.allSatisfy { $0.utf8.count < 8_000 })
        }
    }
}
