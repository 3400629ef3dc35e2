import EventLoop
import Postgres
import TestKit
import Testing

@Suite struct TLSTests {
    private static let server = Task { try PostgresServer(hasTLS: true) }

    @Test func `results of every size arrive over TLS, and the server's name is verified`() async throws {
        let server = try await Self.server.value
        let trusting = "sslmode=verify-full&sslrootcert=\(server.certificateFile)"
        try await TestLoop.run {
            let settings = try DatabaseSettings(
                url: "postgresql://postgres@localhost:\(server.port)/postgres?\(trusting)")
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            let isEncrypted = try await connection.execute(
                sql: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).decodeOnly(as: Bool.self)
            #expect(isEncrypted)
            let filler = Statement<Int32>("filler", "SELECT repeat('x', $1)")
            for size in Array(stride(from: Int32(7_900), to: 17_000, by: 97)) + [60_000, 120_000, 1_000_000] {
                let rows = try await connection.execute(filler(size), timeout: .seconds(20))
                let length = try rows.decodeOnly(as: [UInt8].self).count
                #expect(length == Int(size))
            }
        }
    }

    @Test func `a server whose certificate cannot be verified is rejected`() async throws {
        let server = try await Self.server.value
        try await TestLoop.run {
            for parameters in ["sslmode=verify-full&sslrootcert=/etc/hostname", "sslmode=verify-full"] {
                let settings = try DatabaseSettings(
                    url: "postgresql://postgres@localhost:\(server.port)/postgres?\(parameters)")
                let error = await failure { _ = try await DatabaseConnection.connect(settings, on: TestLoop.shared) }
                guard case .connectionFailed = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
        }
    }
}
