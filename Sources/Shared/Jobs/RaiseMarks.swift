public import EventLoop
public import Postgres

/// When the marks are raised, and how far: the state that one ticker carries from tick to tick.
///
/// A lease looks only at `seq >= band.low`. A number of `ready_seq` that was drawn before the tick before is committed by
/// now, nearly always, so marks may rise up to the sequence's value of that tick. What commits later yet than that, or
/// comes back, is found by the sweep: it looks from zero, and lowers marks too.
///
/// A hint: wrong, it costs a job the delay until the next sweep.
public struct MarkCadence: Sendable {
    /// The longest that a job stays unseen behind a mark.
    public static let sweepInterval = Duration.seconds(5)

    private var lastSweep: MonotonicInstant?
    /// The sequence's value at the tick before; nil: not known yet.
    public private(set) var provenSequence: Int64?

    public init() {}

    public func isSweepDue(at now: MonotonicInstant) -> Bool {
        guard let lastSweep else { return true }
        return now - lastSweep >= Self.sweepInterval
    }

    /// A tick has read the sequence.
    /// - Parameter swept: whether it raised the marks from zero.
    public mutating func ticked(at now: MonotonicInstant, sequence: Int64, swept: Bool) {
        provenSequence = sequence
        if swept { lastSweep = now }
    }
}

/// What one tick has done.
public struct MarkReport: Sendable {
    /// Bands whose mark has moved, up or down.
    public let moved: Int
    /// The last number that `ready_seq` has given.
    public let sequence: Int64
}

extension JobStore {
    /// A mark moves only if it gains more than 500 entries or has to go down, so that a quiet queue writes nothing.
    private static let raise = Statement(
        "raise_marks",
        """
        UPDATE band b SET low = n.low
        FROM (SELECT id, LEAST(COALESCE((SELECT seq FROM ready
                                         WHERE band_id = m.id AND seq >= CASE WHEN $2 THEN 0 ELSE m.low END
                                         ORDER BY seq LIMIT 1), $1), $1) AS low
              FROM band m) n
        WHERE b.id = n.id AND (n.low > b.low + 500 OR n.low < b.low)
        """, [.int8, .bool], isIdempotent: true)

    private static let sequence = Statement(
        "ready_sequence", "SELECT last_value FROM ready_seq", isIdempotent: true)

    /// Raises the low-water mark of each band to its first ready job. Several at once do no harm.
    /// - Parameters:
    ///   - sequence: what the tick before has read; nil only reads it.
    ///   - fromZero: looks below the marks too, and lowers those that are too high.
    public func raiseMarks(
        upTo sequence: Int64?, fromZero: Bool
    ) async throws(PostgresError) -> MarkReport {
        guard let sequence else {
            let row = try await hot.execute(Self.sequence).onlyRow()
            return MarkReport(moved: 0, sequence: try row.int8(0))
        }
        var parameters = Parameters()
        parameters.append(sequence)
        parameters.append(fromZero)
        let answers = try await hot.executeGroup([(Self.raise, parameters), (Self.sequence, Parameters())])
        return MarkReport(moved: answers[0].affectedRowCount, sequence: try answers[1].onlyRow().int8(0))
    }
}
