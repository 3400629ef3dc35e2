public import Postgres
public import Values

/// The subqueues from which many jobs were leased, as one process has counted them when it rolled up transitions: those
/// whose low-water marks are worth advancing.
public struct SubqueueActivity: Sendable {
    /// A mark advances when it passes about this number of entries. Each time it moves, it leaves behind a dead version
    /// of a row that every lease reads.
    public static let leasedMin: Int64 = 250

    private var leased: [Int32: Int64] = [:]

    public init() {}

    public mutating func add(_ counts: [Int32: Int64]) {
        for (subqueue, count) in counts { leased[subqueue, default: 0] += count }
    }

    /// Takes the subqueues from which enough was leased since they were taken last, in ascending order.
    public mutating func takeActive() -> [Int32] {
        let active = leased.filter { $0.value > Self.leasedMin }.keys.sorted()
        for subqueue in active { leased[subqueue] = nil }
        return active
    }
}

/// When the low-water marks are advanced and swept, and how far: the state that one ticker carries from tick to tick.
///
/// A lease reads only `seq >= subqueue.low_water_mark`. A number of `ready_seq` that was drawn before the previous tick
/// is nearly always committed by now, so marks may advance to the sequence's value of that tick. Rows that commit even
/// later are found by the sweep, which reads from zero and lowers marks.
///
/// A hint: if it is wrong, it costs a job the delay until the next sweep.
public struct LowWaterMarkCadence: Sendable {
    /// Between two sweeps: the longest time that a job stays unseen behind a mark.
    public static let sweepInterval = Duration.seconds(5)
    /// While a transaction pins the xmin horizon, a sweep reads all dead entries. It must not take more than one in
    /// this many parts of the time.
    public static let sweepShare = 50

    private var nextSweep: MonotonicInstant?
    /// The sequence's value at the previous tick; nil: not known yet.
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
    static let advance = Statement<Int64, [Int32]>(
        "advance_low_water_marks",
        """
        UPDATE subqueue b SET low_water_mark = n.low_water_mark
        FROM (SELECT m.id, LEAST(COALESCE((SELECT seq FROM ready
                                           WHERE subqueue_id = m.id AND seq >= m.low_water_mark
                                           ORDER BY seq LIMIT 1), $1), $1) AS low_water_mark
              FROM unnest($2::int[]) AS g (id)
              JOIN subqueue m ON m.id = ANY (ARRAY[g.id])) n
        WHERE b.id = ANY (ARRAY[n.id]) AND n.low_water_mark > b.low_water_mark
        """, isIdempotent: true)

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

    /// Advances the low-water marks of `subqueues` to their first ready jobs, and reads the sequence for the next tick.
    /// Several callers at once do no harm.
    /// - Parameter sequence: the value that the previous tick has read; nil: advances nothing.
    public func advanceLowWaterMarks(
        of subqueues: [Int32], upTo sequence: Int64?
    ) async throws(PostgresError) -> (moved: Int, sequence: Int64) {
        guard let sequence, !subqueues.isEmpty else {
            return (0, try await hot.execute(Self.sequence()).decodeOnly())
        }
        let answers = try await hot.executeGroup([Self.advance(sequence, subqueues), Self.sequence()])
        return (answers[0].affectedRowCount, try answers[1].decodeOnly())
    }

    /// Looks for ready jobs behind the marks of all subqueues, and lowers the marks to them.
    /// - Returns: the number of marks that were lowered.
    public func sweepLowWaterMarks() async throws(PostgresError) -> Int {
        try await hot.execute(Self.sweep()).affectedRowCount
    }
}
