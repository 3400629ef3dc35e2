public import Postgres

/// From which block on a fold reads `transition_delta`: the state that one ticker carries from tick to tick.
///
/// The table has no index, which would cost every writer, and folded rows stay behind as dead ones for as long as some
/// transaction pins the xmin horizon. So a fold begins where the table ended at the tick before the last one, since
/// nearly all that was written before has been folded; and now and then at the first block (a sweep), which finds what
/// committed late, and what was written into space that vacuum has freed.
///
/// A hint: what a fold does not find stays in the counts, which add up folded and unfolded rows.
public struct DeltaScanCursor: Sendable {
    /// Every so many folds one is a sweep; the first is.
    public static let sweepEvery = 20

    private var folds = 0
    private var lastEnd: Int64 = 0
    private var endBeforeLast: Int64 = 0

    public init() {}

    /// The block at which the next fold begins.
    public var block: Int64 { folds % Self.sweepEvery == 0 ? 0 : endBeforeLast }

    /// A fold has left nothing that it could see; the table had `blocks` blocks then.
    public mutating func drained(atEnd blocks: Int64) {
        folds += 1
        endBeforeLast = min(lastEnd, blocks)
        lastEnd = blocks
    }
}

/// What one statement has folded.
public struct RollupBatch: Sendable {
    public let rows: Int
    /// How many jobs were leased by what these rows say, by subqueue.
    public let leased: [Int32: Int64]
    /// The length of `transition_delta` afterwards, in blocks.
    public let blocks: Int64
}

extension JobStore {
    /// Moves counts from `transition_delta`, where everyone appends, to `transition_total`, in one statement: readers see each count in
    /// exactly one of the two. Rows that another fold has locked are left to it. Totals are written in the order of
    /// their key, so folds that meet there wait for each other but never in a circle.
    static let fold = Statement(
        "roll_up_transitions",
        """
        WITH taken AS MATERIALIZED (
            DELETE FROM transition_delta WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM transition_delta WHERE ctid >= ('(' || $2 || ',0)')::tid LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING subqueue_id, transition, n),
        summed AS (
            INSERT INTO transition_total AS t (subqueue_id, transition, n)
            SELECT subqueue_id, transition, sum(n) FROM taken GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (subqueue_id, transition) DO UPDATE SET n = t.n + EXCLUDED.n)
        SELECT subqueue_id, count(*), sum(n) FILTER (WHERE transition = 'leased') FROM taken GROUP BY subqueue_id
        """, [.int4, .int8])

    private static let deltaEnd = Statement(
        "transition_delta_end",
        "SELECT pg_relation_size('transition_delta') / current_setting('block_size')::int", isIdempotent: true)

    /// - Parameters:
    ///   - limit: at most so many rows; fewer mean that no more were to be seen.
    ///   - block: rows before it are not looked for (`DeltaScanCursor`).
    public func rollUpDeltas(atMost limit: Int32, from block: Int64) async throws(PostgresError) -> RollupBatch {
        var parameters = Parameters()
        parameters.append(limit)
        parameters.append(block)
        let answers = try await hot.executeGroup([(Self.fold, parameters), (Self.deltaEnd, Parameters())])
        var rows = 0
        var leased: [Int32: Int64] = [:]
        for row in answers[0] {
            rows += Int(try row.int8(1))
            leased[try row.int4(0)] = try row.optionalInt8(2)
        }
        return RollupBatch(rows: rows, leased: leased, blocks: try answers[1].onlyRow().int8(0))
    }
}
