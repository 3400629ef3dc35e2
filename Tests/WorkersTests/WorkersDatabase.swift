import Postgres
import TestKit
import Testing
import Values
import Workers

/// Workers of a database of a test's own.
struct WorkersDatabase: Sendable {
    let pool: ConnectionPool
    let registry: WorkerRegistry

    static func use<Value: Sendable>(_ body: @Sendable (WorkersDatabase) async throws -> Value) async throws -> Value {
        let database = try await TestDatabase.migrated()
        return try await TestLoop.run {
            let pool = ConnectionPool(
                database.settings, profile: .hot, options: ConnectionPool.Options(size: 3), on: TestLoop.shared)
            defer { pool.close() }
            return try await body(WorkersDatabase(pool: pool, registry: WorkerRegistry(pool: pool)))
        }
    }

    func join(_ name: String, counting counters: String) async throws -> Int64 {
        let number = UInt64.random(in: 1...UInt64.max)
        let id = try await registry.join(
            WorkerDescription(
                incarnation: UUID(high: number, low: number), name: name, host: "host", version: "0", queues: nil,
                concurrency: 1))
        #expect(try await registry.heartbeat(id: id, running: 2, counters: Array(counters.utf8)))
        return id
    }

    func expire(_ id: Int64) async throws {
        var parameters = Parameters()
        parameters.append(id)
        _ = try await pool.execute(
            sql: "UPDATE worker SET expires_at = clock_timestamp() - interval '1 s' WHERE id = $1", parameters)
    }

    func series() async throws -> [String: Double] {
        Dictionary(uniqueKeysWithValues: try await registry.series().map { ($0.series, $0.value) })
    }
}
