public import Postgres

extension JobStore {
    /// Of one statement.
    private static let stoppedMax: Int32 = 500

    private static let runningStatement = Statement(
        "list_running_ids",
        """
        SELECT id FROM lease
        WHERE id > $2 AND band_id = ANY ($1) AND cancel_requested_at IS NULL
        ORDER BY id LIMIT $3
        """, [.int4Array, .uuid, .int4], isIdempotent: true)

    /// Asks all jobs to stop that run now and that `filter` names by queue or type, some hundred with each statement.
    /// - Returns: how many were asked.
    public func stopRunning(in filter: JobFilter, by actor: Actor) async throws(PostgresError) -> Int {
        let bands = try await matchingBands(filter)
        var last = UUID(high: 0, low: 0)
        var count = 0
        while true {
            var parameters = Parameters()
            parameters.append(bands)
            parameters.append(last)
            parameters.append(Self.stoppedMax)
            var ids: [UUID] = []
            for row in try await general.execute(Self.runningStatement, parameters) { ids.append(try row.uuid(0)) }
            count += try await stop(ids, by: actor).count
            guard ids.count == Int(Self.stoppedMax), let end = ids.last else { return count }
            last = end
        }
    }
}
