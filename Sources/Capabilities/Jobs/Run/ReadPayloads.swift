public import Postgres
public import Values

/// A payload that a lease left out (`LeasedJob.hasPayload`).
public struct ReadPayload: Sendable, RowDecodable {
    public let id: UUID
    /// Its length in bytes; nil: not measured.
    public let byteCount: Int64?
    /// The JSON text; nil: it did not fit the limit of the statement.
    public let bytes: [UInt8]?

    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        byteCount = try columns.next()
        bytes = try columns.next()
    }
}

extension JobStore {
    /// Payloads in the order of the given ids, until their total length reaches a limit. The limit is enforced twice,
    /// because the length of a compressed value is known only after it was decompressed, which costs about a
    /// millisecond a megabyte: the stored sizes, which cost nothing, decide which values are measured, and the lengths
    /// decide which are returned. So neither this statement nor its answer is larger than the limit and one payload,
    /// whatever was asked for. No lock and no fence: a payload never changes.
    private static let payloadStatement = Statement<[UUID], Int64, Bool>(
        "read_payloads",
        """
        WITH stored AS MATERIALIZED (
            SELECT j.id, row_number() OVER given AS n, sum(pg_column_size(j.payload)) OVER given AS total
            FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, n)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            WINDOW given AS (ORDER BY g.n)),
        measured AS MATERIALIZED (
            SELECT id, n, length, sum(length) OVER (ORDER BY n) AS total
            FROM (SELECT s.id, s.n, octet_length(j.payload::text)::bigint AS length
                  FROM stored s
                  JOIN job j ON j.id = ANY (ARRAY[s.id])
                  WHERE s.n = 1 OR s.total <= $2) l)
        SELECT s.id, m.length,
               (SELECT j.payload FROM job j
                WHERE j.id = ANY (ARRAY[s.id]) AND (m.total <= $2 OR m.n = 1 AND $3))
        FROM stored s
        LEFT JOIN measured m ON m.n = s.n
        ORDER BY s.n
        """, isIdempotent: true)

    /// Reads payloads in the order of `ids`, as many as fit `bytesMax` together.
    /// - Parameter atLeastOne: whether the first one is returned whatever its length is.
    /// - Returns: a row for each job that exists; the first always has its length.
    public func readPayloads(
        of ids: [UUID], bytesMax: Int, atLeastOne: Bool
    ) async throws(PostgresError) -> [ReadPayload] {
        try await general.execute(Self.payloadStatement(ids, Int64(bytesMax), atLeastOne)).decode()
    }
}
