public import Postgres

/// Reports on queues: depths, totals and waits. No statement here counts jobs, or sums up subqueues: totals are the
/// rows of `queue_transition_total`, together with the few deltas that are not rolled up yet. They are exact in every
/// snapshot, and as cheap at five million jobs as at five.
///
/// The statements need default planning (`SessionProfile.general`): they join whole tables where these are small or all
/// of them is needed, for which the plans of the lease would be the worst.
public struct QueueReports: Sendable {
    let pool: ConnectionPool

    /// In the metrics, the name of all queues together that have no name there (`queue.in_metrics`).
    public static let otherQueues = "other"

    /// - Parameter pool: with the profile `.general` or `.reports`.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }
}

/// The number of jobs of a queue that are in a status now.
public struct QueueDepth: Hashable, Sendable {
    public let queue: String
    public let status: JobStatus
    public let count: Int64

    public init(queue: String, status: JobStatus, count: Int64) {
        self.queue = queue
        self.status = status
        self.count = count
    }
}

/// The number of jobs of a queue that have ever taken a transition of the table `state_machine`.
public struct TransitionCount: Hashable, Sendable {
    public let queue: String
    public let transition: String
    public let count: Int64

    public init(queue: String, transition: String, count: Int64) {
        self.queue = queue
        self.transition = transition
        self.count = count
    }
}

/// The counts of the metrics, of one snapshot: of the queues with a name there, and of all others as `other`.
public struct JobCounts: Sendable {
    public var transitions: [TransitionCount] = []
    /// Without statuses that no job was ever in.
    public var depths: [QueueDepth] = []

    public init(transitions: [TransitionCount] = [], depths: [QueueDepth] = []) {
        self.transitions = transitions
        self.depths = depths
    }
}

extension QueueReports {
    /// The rows of two tables: as many as queues have names in the metrics, and deltas. The deltas are summed up before
    /// they are joined, because a stopped reaper leaves many of them for each subqueue.
    private static let countStatement = Statement(
        "metric_counts",
        """
        SELECT COALESCE(q.name, '\(sql: other)'), c.transition::text, m.from_status::text, m.to_status::text,
               sum(c.n)::bigint
        FROM (SELECT queue_id, transition, n FROM queue_transition_total WHERE queue_id = 0
              UNION ALL
              SELECT t.queue_id, t.transition, t.n
              FROM queue n JOIN queue_transition_total t ON t.queue_id = n.id WHERE n.in_metrics
              UNION ALL
              SELECT CASE WHEN n.in_metrics THEN n.id ELSE 0 END, d.transition, d.n
              FROM (SELECT subqueue_id, transition, sum(n) AS n FROM transition_delta GROUP BY 1, 2) d
              JOIN subqueue b ON b.id = d.subqueue_id
              JOIN queue n ON n.id = b.queue_id) c
        JOIN state_machine m ON m.transition = c.transition
        LEFT JOIN queue q ON q.id = c.queue_id
        GROUP BY 1, 2, 3, 4
        """, isIdempotent: true)

    private static let other: SQLFragment = "other"

    /// How many jobs have taken each transition, and how many are in each status.
    public func counts() async throws(PostgresError) -> JobCounts {
        var counts = JobCounts()
        var depths: [String: [JobStatus: Int64]] = [:]
        for row: CountRow in try await pool.execute(Self.countStatement()).decode() {
            counts.transitions.append(TransitionCount(queue: row.queue, transition: row.transition, count: row.count))
            if let to = row.to { depths[row.queue, default: [:]][to, default: 0] += row.count }
            if let from = row.from { depths[row.queue, default: [:]][from, default: 0] -= row.count }
        }
        for (queue, statuses) in depths {
            for (status, count) in statuses {
                counts.depths.append(QueueDepth(queue: queue, status: status, count: count))
            }
        }
        return counts
    }
}

private struct CountRow: RowDecodable {
    let queue: String
    let transition: String
    let from: JobStatus?
    let to: JobStatus?
    let count: Int64

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        queue = try columns.next()
        transition = try columns.next()
        from = (try columns.next() as String?).flatMap(JobStatus.init(rawValue:))
        to = (try columns.next() as String?).flatMap(JobStatus.init(rawValue:))
        count = try columns.next()
    }
}
