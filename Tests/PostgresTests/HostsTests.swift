import EventLoop
import Postgres
import TestKit
import Testing
import Values

/// URLs with several hosts.
@Suite struct HostsTests {
    private static func url(_ database: TestDatabase, ports: [UInt16], _ options: String = "") -> String {
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        return "postgresql://postgres@\(hosts)/\(database.name)?sslmode=disable\(options)"
    }

    @Test func `a host that does not answer hides none of the others, and comes last from then on`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
            defer { proxy.close() }
            proxy.fault = .silence
            for target in ["", "&target_session_attrs=read-write"] {
                let settings = try DatabaseSettings(
                    url: Self.url(database, ports: [proxy.port, database.server.port], target))
                for _ in 0..<2 {
                    let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
                    connection.close()
                }
                let start = MonotonicInstant.now()
                let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
                connection.close()
                #expect(MonotonicInstant.now() - start < settings.connectTimeout / 2)
            }
            // When it answers again, it is used again.
            proxy.fault = .none
            let settings = try DatabaseSettings(url: Self.url(database, ports: [proxy.port]))
            try await DatabaseConnection.connect(settings, on: TestLoop.shared).close()
        }
    }

    @Test func `if no host can be used, the reason of each is said`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let closed = FreePort.take()
            let settings = try DatabaseSettings(
                url: Self.url(database, ports: [closed, database.server.port], "&target_session_attrs=read-only"))
            let failure = await failure {
                _ = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            }
            #expect("\(String(describing: failure))".contains("refused"))
            #expect("\(String(describing: failure))".contains("session is not read-only"))
        }
    }
}
