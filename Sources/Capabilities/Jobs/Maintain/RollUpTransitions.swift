public import Postgres
public import Values

/// The block from which a rollup reads `transition_delta`: the state that one ticker carries from tick to tick.
///
/// The table has no index, which would cost every writer, and rows that were rolled up stay behind as dead rows while a
/// transaction pins the xmin horizon. So a rollup may begin where the table ended two ticks ago, since nearly all rows
/// before it have been rolled up. Rows that committed late, or were written into space that vacuum has freed, are found
/// by a sweep, which begins at the first block. The shorter the table, the more often: as long as it is short, every
/// rollup is a sweep.
///
/// A hint: rows that a rollup does not find stay in the counts, which add up totals and deltas.
public struct DeltaScanCursor: Sendable {
    /// Blocks that sweeps may read in a second: one or two percent of a processor, if all rows are dead.
    public static let sweptPerSecond: Int64 = 2_000

    private var nextSweep: MonotonicInstant?
    private var lastEnd: Int64 = 0
    private var endBeforeLast: Int64 = 0

    public init() {}

    /// The block at which a rollup begins.
    public func block(at now: MonotonicInstant) -> Int64 {
        if let nextSweep, now < nextSweep { endBeforeLast } else { 0 }
    }

    /// A rollup from `block` on has left no row that it could see; the table had `blocks` blocks then.
    public mutating func drained(from block: Int64, atEnd blocks: Int64, at now: MonotonicInstant) {
        if block == 0 { nextSweep = now + .milliseconds(blocks * 1_000 / Self.sweptPerSecond) }
        endBeforeLast = min(lastEnd, blocks)
        lastEnd = blocks
    }
}

/// The result of one rollup statement.
public struct RollupBatch: Sendable {
    public let rows: Int
    /// The number of leased jobs in these rows, by subqueue.
    public let leased: [Int32: Int64]
    /// The length of `transition_delta` afterwards, in blocks.
    public let blocks: Int64
}

extension JobStore {
    /// Moves counts from `transition_delta`, to which every statement appends, to `transition_total` (by subqueue) and
    /// `queue_transition_total` (by queue, and under the id 0 the sum of the queues without a name in the metrics), in
    /// one statement: readers see each count either in the deltas or in the totals. Rows that another rollup has locked
    /// are left to it. One table is written after the other, each in the order of its key, so rollups that meet there
    /// wait for each other but never in a circle. The work is proportional to the deltas, not to the subqueues.
    ///
    /// - Parameter rows: a query of the `ctid` of the deltas.
    static func rollUp(taken rows: SQLFragment) -> SQLFragment {
        """
        WITH taken AS MATERIALIZED (
            DELETE FROM transition_delta WHERE ctid = ANY (ARRAY(
                \(sql: rows)))
            RETURNING subqueue_id, transition, n),
        summed AS MATERIALIZED (
            SELECT subqueue_id, transition, sum(n) AS n FROM taken GROUP BY 1, 2),
        by_subqueue AS (
            INSERT INTO transition_total AS t (subqueue_id, transition, n)
            SELECT subqueue_id, transition, n FROM summed ORDER BY 1, 2
            ON CONFLICT (subqueue_id, transition) DO UPDATE SET n = t.n + EXCLUDED.n),
        by_queue AS (
            INSERT INTO queue_transition_total AS t (queue_id, transition, n)
            SELECT g.id, s.transition, sum(s.n)
            FROM summed s
            JOIN subqueue b ON b.id = ANY (ARRAY[s.subqueue_id])
            JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
            CROSS JOIN LATERAL (SELECT q.id UNION ALL SELECT 0 WHERE NOT q.in_metrics) g (id)
            GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (queue_id, transition) DO UPDATE SET n = t.n + EXCLUDED.n)
        SELECT subqueue_id, count(*), sum(n) FILTER (WHERE transition = 'leased') FROM taken GROUP BY subqueue_id
        """
    }

    static let rollUp = Statement<Int32, Int64>(
        "roll_up_transitions",
        rollUp(
            taken: """
                SELECT ctid FROM transition_delta
                WHERE ctid >= ('(' || $2 || ',0)')::tid LIMIT $1 FOR UPDATE SKIP LOCKED
                """))

    private static let deltaEnd = Statement(
        "transition_delta_end",
        "SELECT pg_relation_size('transition_delta') / current_setting('block_size')::int", isIdempotent: true)

    /// - Parameters:
    ///   - limit: maximum number of rows; fewer mean that no more were visible.
    ///   - block: rows before it are not read (`DeltaScanCursor`).
    public func rollUpDeltas(atMost limit: Int32, from block: Int64) async throws(PostgresError) -> RollupBatch {
        let answers = try await hot.executeGroup([Self.rollUp(limit, block), Self.deltaEnd()])
        var rows = 0
        var leased: [Int32: Int64] = [:]
        for (subqueue, count, leasedCount) in try answers[0].decode((Int32, Int64, Int64?).self) {
            rows += Int(count)
            leased[subqueue] = leasedCount
        }
        return RollupBatch(rows: rows, leased: leased, blocks: try answers[1].decodeOnly())
    }
}
