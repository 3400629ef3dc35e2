public import Postgres
public import Values

extension JobStore {
    private static let findStatement = Statement<UUID>(
        "find_job",
        """
        SELECT \(sql: JobColumns.list.sql)
        FROM (SELECT $1::uuid AS id) d
        \(sql: JobColumns.tables)
        """, isIdempotent: true)

    /// The job as it stands; nil when there is none.
    public func find(_ id: UUID) async throws(PostgresError) -> Job? {
        try await hot.execute(Self.findStatement(id)).decodeFirst()
    }
}
