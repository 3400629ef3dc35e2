public import Postgres

/// The result of an attempt to change partitions, which needs a lock that other sessions may hold.
public enum PartitionChange: Hashable, Sendable {
    /// The number of partitions that were created, or of jobs that were dropped with their partition.
    case done(Int64)
    /// Jobs of the partition are still alive, or have not been kept for long enough.
    case refused
    /// The lock was not free within a fifth of a second, because a long statement or a dump is reading. A waiting
    /// session makes all others wait behind it, so the change is tried again much later.
    case busy
}

/// Each partition holds whole days: the partitions of `job`, `outcome`, `attempt_error` and `event` are created ahead
/// together, and dropped together. The functions belong to the owner of the tables, since the role of the services may
/// neither create nor drop.
extension JobStore {
    /// The longest wait for a lock, and the longest time that a change may take: it counts the jobs of a large
    /// partition.
    private static let lockTimeout = "SET LOCAL lock_timeout = '200ms'"
    private static let statementTimeout = "SET LOCAL statement_timeout = '10min'"
    private static let changeTimeout = Duration.seconds(610)

    private static let ensureStatement = Statement<Int32, Int32>(
        "ensure_partitions", "SELECT ensure_partitions($1, $2)")

    private static let droppableStatement = Statement<Int32>(
        "list_droppable_partitions",
        """
        SELECT to_char(starts, 'YYYY-MM-DD') FROM job_partition
        WHERE ends + make_interval(hours => longest_retention_hours($1)) <= clock_timestamp() AT TIME ZONE 'UTC'
        ORDER BY starts
        """, isIdempotent: true)

    private static let dropStatement = Statement<String, RetentionPolicy>(
        "drop_partition", "SELECT drop_partition($1::text::date, $2, $3, $4)")

    /// Creates the partitions of the days to come, where they are missing. Several callers at once do no harm.
    /// - Parameters:
    ///   - days: number of days of a new partition; 1 or more.
    ///   - daysAhead: number of days after today that are covered.
    public func ensurePartitions(ofDays days: Int32, daysAhead: Int32) async throws(PostgresError) -> PartitionChange {
        try await change { (transaction) async throws(PostgresError) in
            let created: Int32 = try await transaction.execute(Self.ensureStatement(days, daysAhead)).decodeOnly()
            return .done(Int64(created))
        }
    }

    /// The first days (`2026-03-01`) of the partitions whose last day is longer ago than any job is kept, by `policy`
    /// or by its queue.
    public func droppablePartitions(_ policy: RetentionPolicy) async throws(PostgresError) -> [String] {
        try await general.execute(Self.droppableStatement(policy.longestHours)).decode()
    }

    /// Drops the partition that begins on `day`, with all its jobs, unless one of them has to stay.
    public func dropPartition(
        from day: String, _ policy: RetentionPolicy
    ) async throws(PostgresError) -> PartitionChange {
        try await change { (transaction) async throws(PostgresError) in
            let rows = try await transaction.execute(Self.dropStatement(day, policy), timeout: Self.changeTimeout)
            let dropped: Int64? = try rows.decodeOnly()
            return dropped.map { .done($0) } ?? .refused
        }
    }

    private func change(
        _ body: @Sendable (Transaction) async throws(PostgresError) -> PartitionChange
    ) async throws(PostgresError) -> PartitionChange {
        do throws(PostgresError) {
            return try await general.transaction(lockWait: .once) { (transaction) async throws(PostgresError) in
                _ = try await transaction.execute(sql: Self.lockTimeout)
                _ = try await transaction.execute(sql: Self.statementTimeout)
                return try await body(transaction)
            }
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            return .busy
        }
    }
}
