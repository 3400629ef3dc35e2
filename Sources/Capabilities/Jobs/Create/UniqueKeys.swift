public import Postgres
public import Values

extension JobStore {
    private static let conflictingJob = Statement<UUID>(
        "find_conflicting_job",
        """
        SELECT c.id
        FROM job j
        JOIN subqueue b ON b.id = j.subqueue_id
        CROSS JOIN LATERAL (
            SELECT id FROM unique_key_holder WHERE type_id = b.type_id AND key = j.unique_key OFFSET 0) c
        WHERE j.id = $1 AND c.id <> j.id
        """, isIdempotent: true)

    /// The other job that holds the unique key of this one, which therefore cannot be retried; nil if none holds it.
    public func conflictingJob(of id: UUID) async throws(PostgresError) -> UUID? {
        try await hot.execute(Self.conflictingJob(id)).decodeFirst()
    }
}
