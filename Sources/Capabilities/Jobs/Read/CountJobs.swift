public import Postgres

/// How many jobs of a queue are in a status now.
public struct QueueDepth: Hashable, Sendable {
    public let queue: String
    public let status: JobStatus
    public let count: Int64
}

/// How many jobs of a queue have ever taken a transition of the life cycle; the transitions stand in the table `state_machine`.
public struct TransitionCount: Hashable, Sendable {
    public let queue: String
    public let transition: String
    public let count: Int64
}

/// How long the oldest job of a queue that could run has been waiting.
public struct OldestReady: Hashable, Sendable {
    public let queue: String
    public let seconds: Double
}

/// Nothing here counts jobs: depths and totals are sums of what each statement has written to `transition_delta`, exact in every
/// snapshot, and as cheap at five million jobs as at five.
extension JobStore {
    private static let depthStatement = Statement(
        "queue_depths",
        """
        SELECT q.name, d.status::text, sum(d.n)::bigint
        FROM depth d JOIN subqueue b ON b.id = d.subqueue_id JOIN queue q ON q.id = b.queue_id
        GROUP BY q.name, d.status
        """, isIdempotent: true)

    private static let stepStatement = Statement(
        "transition_counts",
        """
        SELECT q.name, c.transition::text, sum(c.n)::bigint
        FROM transition_count c JOIN subqueue b ON b.id = c.subqueue_id JOIN queue q ON q.id = b.queue_id
        GROUP BY q.name, c.transition
        """, isIdempotent: true)

    /// Looks at the first row of each subqueue.
    private static let oldestStatement = Statement(
        "oldest_ready",
        """
        SELECT q.name, EXTRACT(epoch FROM clock_timestamp() - min(h.ready_at))::float8
        FROM subqueue b
        JOIN queue q ON q.id = b.queue_id
        CROSS JOIN LATERAL (SELECT ready_at FROM ready
                            WHERE subqueue_id = b.id AND seq >= b.low_water_mark ORDER BY seq LIMIT 1) h
        GROUP BY q.name
        """, isIdempotent: true)

    public func depths() async throws(PostgresError) -> [QueueDepth] {
        var depths: [QueueDepth] = []
        for row in try await hot.execute(Self.depthStatement) {
            let name = try row.text(1)
            guard let status = JobStatus(rawValue: name) else {
                throw .unexpectedValue(column: 1, reason: "a job's status is \(name)")
            }
            depths.append(QueueDepth(queue: try row.text(0), status: status, count: try row.int8(2)))
        }
        return depths
    }

    public func transitionCounts() async throws(PostgresError) -> [TransitionCount] {
        var counts: [TransitionCount] = []
        for row in try await hot.execute(Self.stepStatement) {
            counts.append(TransitionCount(queue: try row.text(0), transition: try row.text(1), count: try row.int8(2)))
        }
        return counts
    }

    /// Queues without a job that could run are not in it.
    public func oldestReady() async throws(PostgresError) -> [OldestReady] {
        var oldest: [OldestReady] = []
        for row in try await hot.execute(Self.oldestStatement) {
            oldest.append(OldestReady(queue: try row.text(0), seconds: try row.float8(1)))
        }
        return oldest
    }
}
