internal import Postgres
internal import Telemetry

/// Waits until the database has the schema that this release needs. An older schema waits for its migration; a newer
/// one is accepted with a warning (`SchemaVersion`). It comes before every service that uses the tables.
public final class SchemaGate: ProcessService {
    public let name = "schema"
    private let pool: ConnectionPool
    private let process: ProcessContext

    public init(_ sessions: DatabaseSessions, in process: ProcessContext) {
        pool = sessions.general
        self.process = process
    }

    public func start() async throws {
        try await process.wait("waiting for the schema") { await self.obstacle() }
    }

    public func stop() async {}

    /// Why the process cannot work with the database now; nil when it can. For a command, which does not wait.
    public func obstacle() async -> String? {
        let version: Int32?
        do throws(PostgresError) {
            version = try await SchemaVersion.current { statement async throws(PostgresError) in
                try await pool.execute(statement)
            }
        } catch {
            return "\(error)"
        }
        if let obstacle = SchemaVersion.obstacle(current: version) { return obstacle }
        if let lead = SchemaVersion.lead(current: version) {
            process.logger.warning("the schema is newer than this release", ["reason": .string(lead)])
        }
        return nil
    }
}
