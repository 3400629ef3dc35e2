public import Postgres

extension JobStore {
    private static let rival = Statement(
        "find_rival",
        """
        SELECT c.id
        FROM job j
        JOIN band b ON b.id = j.band_id
        CROSS JOIN LATERAL (
            SELECT id FROM unique_claim WHERE type_id = b.type_id AND key = j.unique_key OFFSET 0) c
        WHERE j.id = $1 AND c.id <> j.id
        """, [.uuid], isIdempotent: true)

    /// The other job that has the unique key of this one, which therefore cannot be revived; nil if none has it.
    public func rival(of id: UUID) async throws(PostgresError) -> UUID? {
        var parameters = Parameters()
        parameters.append(id)
        return try await hot.execute(Self.rival, parameters).first?.uuid(0)
    }
}
