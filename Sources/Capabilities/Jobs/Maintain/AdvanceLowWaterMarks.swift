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
/// A lease reads only what is not below the mark of a subqueue. A number of `ready_seq` that was drawn before the
/// previous tick is nearly always committed by now, so marks may advance to the sequence's value of that tick. Rows
/// that commit even later are found by the sweep, which reads from zero and lowers marks.
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
        INSERT INTO low_water_mark AS m (priority, subqueue_id, seq)
        SELECT b.priority, b.id, LEAST(COALESCE((SELECT seq FROM ready
                                                 WHERE priority = b.priority AND subqueue_id = b.id
                                                   AND seq >= low_water_mark_of(b.priority, b.id)
                                                 ORDER BY seq LIMIT 1), $1), $1)
        FROM unnest($2::int[]) AS g (id)
        JOIN subqueue b ON b.id = ANY (ARRAY[g.id])
        ON CONFLICT (priority, subqueue_id) DO UPDATE SET seq = EXCLUDED.seq, advanced_at = EXCLUDED.advanced_at
        WHERE EXCLUDED.seq > m.seq
        """, isIdempotent: true)

    private static let sequence = Statement(
        "ready_sequence", "SELECT last_value FROM ready_seq", isIdempotent: true)

    /// Lowers a mark below which a row has committed late.
    static let sweep = Statement(
        "sweep_low_water_marks",
        """
        UPDATE low_water_mark b SET seq = n.seq
        FROM (SELECT m.priority, m.subqueue_id,
                     (SELECT seq FROM ready WHERE priority = m.priority AND subqueue_id = m.subqueue_id
                      ORDER BY seq LIMIT 1) AS seq
              FROM low_water_mark m OFFSET 0) n
        WHERE b.priority = ANY (ARRAY[n.priority]) AND b.subqueue_id = ANY (ARRAY[n.subqueue_id]) AND n.seq < b.seq
        """, isIdempotent: true)

    private static let idleMarks = Statement<Double>(
        "idle_low_water_marks",
        """
        SELECT priority, subqueue_id FROM low_water_mark
        WHERE advanced_at < clock_timestamp() - make_interval(secs => $1) ORDER BY advanced_at LIMIT 1
        """, isIdempotent: true)

    private static let probeStatement = Statement<Int16, Int32>(
        "probe_without_low_water_mark",
        "SELECT seq FROM ready WHERE priority = $1 AND subqueue_id = $2 ORDER BY seq LIMIT 1", isIdempotent: true)

    private static let removeMark = Statement<Int16, Int32, Double>(
        "remove_low_water_mark",
        """
        DELETE FROM low_water_mark
        WHERE priority = $1 AND subqueue_id = $2 AND advanced_at < clock_timestamp() - make_interval(secs => $3)
        """, isIdempotent: true)

    private static let postponeMark = Statement<Int16, Int32>(
        "keep_low_water_mark",
        """
        UPDATE low_water_mark SET advanced_at = clock_timestamp() WHERE priority = $1 AND subqueue_id = $2
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

    /// Removes the mark that has rested longest, if the look without it is as fast: vacuum has removed the dead entries
    /// below it. Otherwise the mark counts as advanced now.
    /// - Returns: whether a mark has rested for `rest`.
    public func removeIdleMark(restingFor rest: Duration) async throws(PostgresError) -> Bool {
        let idle = try await hot.execute(Self.idleMarks(rest.inSeconds)).decode((Int16, Int32).self)
        guard let (priority, subqueue) = idle.first else { return false }
        let start = MonotonicInstant.now()
        _ = try await hot.execute(Self.probeStatement(priority, subqueue))
        if MonotonicInstant.now() - start < .milliseconds(2) {
            _ = try await hot.execute(Self.removeMark(priority, subqueue, rest.inSeconds))
        } else {
            _ = try await hot.execute(Self.postponeMark(priority, subqueue))
        }
        return true
    }
}
