public import Postgres

/// The number of jobs of a queue that are in a status now.
public struct QueueDepth: Hashable, Sendable {
    public let queue: String
    public let status: JobStatus
    public let count: Int64
}

/// The number of jobs of a queue that have ever taken a transition of the table `state_machine`.
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

/// No statement here counts jobs: depths and totals are sums of the rows that each statement has written to
/// `transition_delta`. They are exact in every snapshot, and as cheap at five million jobs as at five.
extension JobStore {
    private static let depthStatement = Statement(
        "queue_depths",
        """
        SELECT q.name, d.status::text, sum(d.n)::bigint
        FROM depth d JOIN subqueue b ON b.id = d.subqueue_id JOIN queue q ON q.id = b.queue_id
        GROUP BY q.name, d.status
        """, isIdempotent: true)

    private static let transitionStatement = Statement(
        "transition_counts",
        """
        SELECT q.name, c.transition::text, sum(c.n)::bigint
        FROM transition_count c JOIN subqueue b ON b.id = c.subqueue_id JOIN queue q ON q.id = b.queue_id
        GROUP BY q.name, c.transition
        """, isIdempotent: true)

    /// Reads the first row of each subqueue.
    private static let oldestStatement = Statement(
        "oldest_ready",
        """
        SELECT q.name, EXTRACT(epoch FROM clock_timestamp() - min(h.ready_at))::float8
        FROM subqueue b
        JOIN queue q ON q.id = b.queue_id
        CROSS JOIN LATERAL (SELECT ready_at FROM ready
                            WHERE priority = b.priority AND subqueue_id = b.id
                              AND seq >= low_water_mark_of(b.priority, b.id) ORDER BY seq LIMIT 1) h
        GROUP BY q.name
        """, isIdempotent: true)

    public func depths() async throws(PostgresError) -> [QueueDepth] {
        try await hot.execute(Self.depthStatement()).decode()
    }

    public func transitionCounts() async throws(PostgresError) -> [TransitionCount] {
        try await hot.execute(Self.transitionStatement()).decode()
    }

    /// Queues without a job that could run are left out.
    public func oldestReady() async throws(PostgresError) -> [OldestReady] {
        try await hot.execute(Self.oldestStatement()).decode()
    }
}

extension QueueDepth: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        queue = try columns.next()
        status = try JobStatus(&columns)
        count = try columns.next()
    }
}

extension TransitionCount: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        queue = try columns.next()
        transition = try columns.next()
        count = try columns.next()
    }
}

extension OldestReady: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        queue = try columns.next()
        seconds = try columns.next()
    }
}
