import EventLoop
import Postgres
import Synchronization
import TestKit
import Testing
import Values

@testable import Pools

@Suite struct PoolNotificationTests {
    private final class Received: Sendable {
        private let events = Mutex<[NotificationListener.Event]>([])

        func accept(_ event: NotificationListener.Event) { events.withLock { $0.append(event) } }

        var isListening: Bool { events.withLock { $0.contains(.listening) } }
        var payloads: [String] {
            events.withLock { events in
                events.compactMap { if case .notification(let notification) = $0 { notification.payload } else { nil } }
            }
        }
    }

    private func waitUntil(_ what: String, _ condition: () -> Bool) async throws {
        let deadline = MonotonicInstant.now() + .seconds(20)
        while !condition() {
            try #require(MonotonicInstant.now() < deadline, "timed out waiting until \(what)")
            try await TestLoop.shared.sleep(for: .milliseconds(5))
        }
    }

    @Test func `each change sends one notification with the name of the pool`() async throws {
        try await Fixture.use { fixture in
            let received = Received()
            let channel = PoolStore.channel(schema: "jobqueue")
            let listener = NotificationListener(fixture.database.settings, channels: [channel], on: TestLoop.shared) {
                received.accept($0)
            }
            listener.start()
            defer { listener.close() }
            try await waitUntil("it listens") { received.isListening }

            try await fixture.configurePool()
            var memberships: [Membership] = []
            for ordinal in 0..<3 as Range<Int32> { memberships.append(try await fixture.joinPool(ordinal)) }
            try await waitUntil("a definition and three members are notified") { received.payloads.count == 4 }
            _ = try await fixture.pools.rebalance()
            _ = try await fixture.pools.rebalance()
            let lease = try await fixture.acquireAll(memberships[0])[0]
            try await fixture.members.release([lease], ofPool: memberships[0].poolID)
            try await fixture.members.release([lease], ofPool: memberships[0].poolID)
            try await fixture.members.leave(memberships[0])
            try await fixture.members.deregister(memberships[0])
            try await fixture.members.deregister(memberships[0])
            try await waitUntil("an assignment, a release and a leaving member are notified") {
                received.payloads.count >= 8
            }
            #expect(try await fixture.pools.remove("swarm"))
            try await waitUntil("the removal is notified") { received.payloads.count >= 9 }
            #expect(received.payloads == Array(repeating: "swarm", count: 9))
        }
    }
}
