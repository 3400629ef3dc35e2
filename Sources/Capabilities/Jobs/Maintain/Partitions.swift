public import Postgres

/// What came of an attempt to change partitions, which needs a lock that others may hold.
public enum PartitionChange: Hashable, Sendable {
    /// So many partitions were made, or jobs dropped with theirs.
    case done(Int64)
    /// Jobs of the partition still live, or have not been kept for as long as they should be.
    case refused
    /// The lock was not to be had in a fifth of a second: a long statement or a dump is reading. While we wait everyone
    /// else waits behind us, so it is tried again much later.
    case busy
}

/// Partitions are partitions of whole days: `job`, `outcome`, `attempt_error` and `event` of one partition are made ahead
/// together, and dropped together. The functions belong to the owner of the tables, as the role of the services may neither create
/// nor drop.
extension JobStore {
    /// The longest wait for a lock, and the longest that a change may take: counting the jobs of a large partition.
    private static let lockTimeout = "SET LOCAL lock_timeout = '200ms'"
    private static let statementTimeout = "SET LOCAL statement_timeout = '10min'"
    private static let changeTimeout = Duration.seconds(610)

    private static let ensure = Statement("ensure_partitions", "SELECT ensure_partitions($1, $2)", [.int4, .int4])

    private static let droppable = Statement(
        "list_droppable_partitions",
        """
        SELECT to_char(starts, 'YYYY-MM-DD') FROM job_partition
        WHERE ends + make_interval(hours => longest_retention_hours($1)) <= clock_timestamp() AT TIME ZONE 'UTC'
        ORDER BY starts
        """, [.int4], isIdempotent: true)

    private static let drop = Statement(
        "drop_partition", "SELECT drop_partition($1::text::date, $2, $3, $4)", [.text, .int4, .int4, .int4])

    /// Makes the partitions of the days to come, where they are missing. Several callers at once do no harm.
    /// - Parameters:
    ///   - days: of a new partition; 1 or more.
    ///   - daysAhead: so many days after today are covered.
    public func ensurePartitions(ofDays days: Int32, daysAhead: Int32) async throws(PostgresError) -> PartitionChange {
        var parameters = Parameters()
        parameters.append(days)
        parameters.append(daysAhead)
        return try await change { [parameters] (transaction) async throws(PostgresError) in
            .done(Int64(try await transaction.execute(Self.ensure, parameters).onlyRow().int4(0)))
        }
    }

    /// The first days (`2026-03-01`) of the partitions whose last day ended longer ago than any job is kept, by `policy` or by
    /// its queue.
    public func droppablePartitions(_ policy: RetentionPolicy) async throws(PostgresError) -> [String] {
        var parameters = Parameters()
        parameters.append(policy.longestHours)
        var days: [String] = []
        for row in try await general.execute(Self.droppable, parameters) { days.append(try row.text(0)) }
        return days
    }

    /// Drops the partition that begins on `day`, with all its jobs, unless one of them has to stay.
    public func dropPartition(
        from day: String, _ policy: RetentionPolicy
    ) async throws(PostgresError) -> PartitionChange {
        var parameters = Parameters()
        parameters.append(text: day)
        parameters.append(policy.succeededHours)
        parameters.append(policy.failedHours)
        parameters.append(policy.cancelledHours)
        return try await change { [parameters] (transaction) async throws(PostgresError) in
            let rows = try await transaction.execute(Self.drop, parameters, timeout: Self.changeTimeout)
            return try rows.onlyRow().optionalInt8(0).map { .done($0) } ?? .refused
        }
    }

    private func change(
        _ body: @Sendable (Transaction) async throws(PostgresError) -> PartitionChange
    ) async throws(PostgresError) -> PartitionChange {
        do {
            return try await general.transaction { transaction in
                _ = try await transaction.execute(sql: Self.lockTimeout)
                _ = try await transaction.execute(sql: Self.statementTimeout)
                return try await body(transaction)
            }
        } catch let error as PostgresError {
            guard error.sqlState == .lockNotAvailable else { throw error }
            return .busy
        } catch {
            preconditionFailure("an error of no known type: \(error)")
        }
    }
}
