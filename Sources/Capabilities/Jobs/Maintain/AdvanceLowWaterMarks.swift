public import Postgres
public import Values

/// Which subqueues have moved, as far as the counts that one process has folded tell: what raising marks is worth while for.
public struct SubqueueActivity: Sendable {
    /// A mark is raised when it gains about so many entries. Each time it moves, a dead version is left behind of a row
    /// that every lease reads.
    public static let leasedMin: Int64 = 250

    private var leased: [Int32: Int64] = [:]

    public init() {}

    public mutating func add(_ counts: [Int32: Int64]) {
        for (subqueue, count) in counts { leased[subqueue, default: 0] += count }
    }

    /// Takes out the subqueues of which enough has been leased since they were taken before, in ascending order.
    public mutating func takeActive() -> [Int32] {
        let active = leased.filter { $0.value > Self.leasedMin }.keys.sorted()
        for subqueue in active { leased[subqueue] = nil }
        return active
    }
}

/// When the marks are raised and swept, and how far: the state that one ticker carries from tick to tick.
///
/// A lease looks only at `seq >= subqueue.low_water_mark`. A number of `ready_seq` that was drawn before the tick before is committed by
/// now, nearly always, so marks may rise up to the sequence's value of that tick. What commits later yet than that is
/// found by the sweep, which looks from zero and lowers marks.
///
/// A hint: wrong, it costs a job the delay until the next sweep.
public struct LowWaterMarkCadence: Sendable {
    /// Between two sweeps: the longest that a job stays unseen behind a mark.
    public static let sweepInterval = Duration.seconds(5)
    /// While a transaction pins the xmin horizon, a sweep walks over all dead entries; it must not take more than this
    /// part of the time.
    public static let sweepShare = 50

    private var nextSweep: MonotonicInstant?
    /// The sequence's value at the tick before; nil: not known yet.
    public private(set) var provenSequence: Int64?

    public init() {}

    public func isSweepDue(at now: MonotonicInstant) -> Bool {
        nextSweep.map { $0 <= now } ?? true
    }

    public mutating func swept(from start: MonotonicInstant, to end: MonotonicInstant) {
        nextSweep = end + max(Self.sweepInterval, (end - start) * Self.sweepShare)
    }

    public mutating func ticked(sequence: Int64) {
        provenSequence = sequence
    }
}

extension JobStore {
    static let raise = Statement(
        "advance_low_water_marks",
        """
        UPDATE subqueue b SET low_water_mark = n.low_water_mark
        FROM (SELECT m.id, LEAST(COALESCE((SELECT seq FROM ready
                                           WHERE subqueue_id = m.id AND seq >= m.low_water_mark
                                           ORDER BY seq LIMIT 1), $1), $1) AS low_water_mark
              FROM unnest($2::int[]) AS g (id)
              JOIN subqueue m ON m.id = ANY (ARRAY[g.id])) n
        WHERE b.id = ANY (ARRAY[n.id]) AND n.low_water_mark > b.low_water_mark
        """, [.int8, .int4Array], isIdempotent: true)

    private static let sequence = Statement(
        "ready_sequence", "SELECT last_value FROM ready_seq", isIdempotent: true)

    /// Lowers a mark below which a row has committed late.
    static let sweep = Statement(
        "sweep_low_water_marks",
        """
        UPDATE subqueue b SET low_water_mark = n.low_water_mark
        FROM (SELECT m.id, (SELECT seq FROM ready WHERE subqueue_id = m.id ORDER BY seq LIMIT 1) AS low_water_mark
              FROM subqueue m OFFSET 0) n
        WHERE b.id = ANY (ARRAY[n.id]) AND n.low_water_mark < b.low_water_mark
        """, isIdempotent: true)

    /// Raises the low-water marks of `subqueues` to their first ready jobs, and reads the sequence for the next tick. Several
    /// at once do no harm.
    /// - Parameter sequence: what the tick before has read; nil: raises nothing.
    public func advanceLowWaterMarks(
        of subqueues: [Int32], upTo sequence: Int64?
    ) async throws(PostgresError) -> (moved: Int, sequence: Int64) {
        guard let sequence, !subqueues.isEmpty else {
            let row = try await hot.execute(Self.sequence).onlyRow()
            return (0, try row.int8(0))
        }
        var parameters = Parameters()
        parameters.append(sequence)
        parameters.append(subqueues)
        let answers = try await hot.executeGroup([(Self.raise, parameters), (Self.sequence, Parameters())])
        return (answers[0].affectedRowCount, try answers[1].onlyRow().int8(0))
    }

    /// Looks for ready jobs behind the marks of all subqueues, and lowers the marks to them.
    /// - Returns: how many marks were lowered.
    public func sweepLowWaterMarks() async throws(PostgresError) -> Int {
        try await hot.execute(Self.sweep).affectedRowCount
    }
}
