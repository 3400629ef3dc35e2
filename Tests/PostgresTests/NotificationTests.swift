import EventLoop
import Postgres
import Synchronization
import TestKit
import Testing

@Suite struct NotificationTests {
    private typealias Event = NotificationListener.Event

    /// Events in order of arrival.
    private static func listener(
        _ settings: DatabaseSettings, _ channels: [String],
        _ options: NotificationListener.Options = NotificationListener.Options()
    ) -> (NotificationListener, AsyncStream<Event>.Iterator) {
        let (stream, continuation) = AsyncStream<Event>.makeStream()
        let listener = NotificationListener(settings, channels: channels, on: TestLoop.shared, options: options) {
            continuation.yield($0)
        }
        return (listener, stream.makeAsyncIterator())
    }

    private func isInterruption(_ event: Event?) -> Bool {
        if case .interrupted = event { true } else { false }
    }

    private func content(_ event: Event?) -> [String] {
        if case .notification(let notification) = event { [notification.channel, notification.payload] } else { [] }
    }

    @Test func `notifications arrive, and a loss of the connection is reported`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let (listener, events) = Self.listener(database.settings, ["jobs", "odd \"channel"])
            defer { listener.close() }
            var iterator = events
            listener.start()
            #expect(await iterator.next() == .listening)

            let pool = ConnectionPool(
                database.settings, profile: .notifying, options: ConnectionPool.Options(size: 1), on: TestLoop.shared)
            defer { pool.close() }
            let notifier = Notifier(pool: pool)
            try await notifier.notify("jobs", "caf\u{e9}")
            #expect(content(await iterator.next()) == ["jobs", "caf\u{e9}"])
            try await notifier.notify("other")
            try await notifier.notify("odd \"channel")
            #expect(content(await iterator.next()) == ["odd \"channel", ""])

            try await database.terminateSessions()
            #expect(isInterruption(await iterator.next()))
            #expect(await iterator.next() == .listening)
            try await notifier.notify("jobs", "again")
            #expect(content(await iterator.next()) == ["jobs", "again"])
        }
    }

    @Test func `after a rotation of the credentials the session is replaced, and listens again`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let current = Mutex(DatabaseCredentials(password: "first"))
            var options = NotificationListener.Options()
            options.pingInterval = .milliseconds(50)
            var settings = database.settings
            settings.applicationName = "rotated"
            let (stream, continuation) = AsyncStream<Event>.makeStream()
            let listener = NotificationListener(
                settings, channels: ["jobs"], on: TestLoop.shared, options: options,
                credentials: { current.withLock { $0 } }
            ) { continuation.yield($0) }
            defer { listener.close() }
            var iterator = stream.makeAsyncIterator()
            let pool = ConnectionPool(database.settings, options: .init(size: 1), on: TestLoop.shared)
            defer { pool.close() }
            func sessions() async throws -> [Int32] {
                try await pool.execute(sql: "SELECT pid FROM pg_stat_activity WHERE application_name = 'rotated'")
                    .decode()
            }
            listener.start()
            #expect(await iterator.next() == .listening)
            let before = try await sessions()
            current.withLock { $0 = DatabaseCredentials(password: "second") }
            #expect(await iterator.next() == .listening)
            try await waitUntil("the old session has ended") {
                let now = try await sessions()
                return now.count == 1 && now != before
            }
            _ = try await pool.execute(sql: "NOTIFY jobs, 'again'")
            #expect(content(await iterator.next()) == ["jobs", "again"])
        }
    }

    @Test func `a silent connection is detected and replaced`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
            defer { proxy.close() }
            let url = database.server.tcpURL(database: database.name, port: proxy.port)
            var options = NotificationListener.Options()
            options.pingInterval = .milliseconds(50)
            options.pingTimeout = .milliseconds(200)
            var settings = try DatabaseSettings(url: url)
            settings.connectTimeout = .milliseconds(500)
            let (listener, events) = Self.listener(settings, ["jobs"], options)
            defer { listener.close() }
            var iterator = events
            listener.start()
            // Under load, connecting may take longer than these timeouts.
            var event = await iterator.next()
            while isInterruption(event) { event = await iterator.next() }
            #expect(event == .listening)
            proxy.fault = .silence
            #expect(isInterruption(await iterator.next()))
            proxy.fault = .none
            event = await iterator.next()
            while isInterruption(event) { event = await iterator.next() }
            #expect(event == .listening)
        }
    }
}
