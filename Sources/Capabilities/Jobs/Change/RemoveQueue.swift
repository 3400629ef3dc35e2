internal import EventLoop
public import Postgres

/// The result of a request to remove a queue.
public enum QueueRemoval: Hashable, Sendable {
    case removed
    /// No such queue exists.
    case unknown
    /// Jobs of the queue by status; statuses without jobs are left out.
    case hasJobs([JobStatus: Int64])
    /// The queue is paused, or the end of its pause is not recorded yet.
    case isPaused
    /// A transaction that creates jobs, or has locked the queue, did not end in time. Nothing is removed.
    case isBusy
}

extension JobStore {
    /// How often a removal is tried because the queue was used meanwhile.
    private static let removalTriesMax = 5

    private static let pausedStatement = Statement<String>(
        "queue_is_paused",
        """
        SELECT EXISTS (SELECT FROM queue q JOIN pause_state p ON p.queue_id = q.id WHERE q.name = $1 AND p.paused)
        """, isIdempotent: true)

    private static let retireQueue = Statement<String>(
        "retire_queue",
        """
        WITH named AS MATERIALIZED (
            SELECT b.id, b.queue_id, b.retired_at FROM queue q JOIN subqueue b ON b.queue_id = q.id WHERE q.name = $1),
        retired AS (
            UPDATE subqueue SET retired_at = clock_timestamp()
            WHERE id = ANY (ARRAY(
                SELECT b.id FROM subqueue b JOIN named n ON n.id = b.id
                WHERE b.retired_at IS NULL ORDER BY b.id FOR NO KEY UPDATE OF b))
            RETURNING id, queue_id, retired_at)
        SELECT * FROM retired
        UNION ALL
        SELECT * FROM named WHERE retired_at IS NOT NULL
        """, isIdempotent: true)

    private static let removeQueueStatement = Statement<String>("remove_queue", "SELECT remove_queue($1)")

    /// Removes a queue that has no job in any status and no pause, with its settings and counts (the steps are in
    /// `0013_remove_queues.sql`). Creations go on meanwhile: one of this queue ends the removal.
    public func remove(queue name: String) async throws(PostgresError) -> QueueRemoval {
        for attempt in 1...Self.removalTriesMax {
            if let obstacle = try await obstacle(toRemoving: name) { return obstacle }
            let retired: [RetiredSubqueue] = try await general.execute(Self.retireQueue(name)).decode()
            guard try await remove(retired) != nil else { return .isBusy }
            if try await general.execute(Self.removeQueueStatement(name)).decodeOnly(as: Bool.self) {
                // Workers forget the id of the queue.
                notifier?.notifyOfLimits(name)
                return .removed
            }
            try? await general.loop.sleep(for: LockWait.pauseMin * attempt)
        }
        return try await obstacle(toRemoving: name) ?? .isBusy
    }

    private func obstacle(toRemoving name: String) async throws(PostgresError) -> QueueRemoval? {
        guard let queue = try await QueueReports(pool: general).find(name) else { return .unknown }
        let jobs = queue.depths.filter { $0.value > 0 }
        if !jobs.isEmpty { return .hasJobs(jobs) }
        return try await general.execute(Self.pausedStatement(name)).decodeOnly(as: Bool.self) ? .isPaused : nil
    }
}
