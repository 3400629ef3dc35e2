public import Postgres
public import Values

extension JobStore {
    private static let find = Statement(
        "find_job",
        """
        SELECT \(sql: JobColumns.list)
        FROM (SELECT $1::uuid AS id) d
        \(sql: JobColumns.tables)
        """, [.uuid], isIdempotent: true)

    /// The job as it stands; nil when there is none.
    public func find(_ id: UUID) async throws(PostgresError) -> Job? {
        var parameters = Parameters()
        parameters.append(id)
        let rows = try await hot.execute(Self.find, parameters)
        guard let row = rows.first else { return nil }
        return try Job(row)
    }
}
