public import Values

/// The instant from which a scan of due times is worth while.
///
/// Rows that were taken leave dead entries in the index, which every later scan would read while a transaction pins the
/// xmin horizon. So a scan begins a little before the scan before the last one, since all rows that were due by then
/// have been taken. Every tenth scan begins at the earliest instant (a sweep), and finds rows that became visible late:
/// those that a slow transaction committed, and those that were locked during earlier scans.
///
/// A hint: if it is wrong, it costs the delay until the next sweep, never a job. All instants are PostgreSQL's.
public struct ScanCursor: Sendable {
    /// How much longer than a tick a transaction may take if its rows are to be found without a sweep.
    public static let slack = Duration.seconds(10)
    /// One scan in this number is a sweep, the first among them.
    public static let sweepEvery = 10

    private var scans = 0
    private var last: WallInstant?
    private var beforeLast: WallInstant?

    public init() {}

    /// The instant at which the next scan begins.
    public var lowerBound: WallInstant {
        guard let beforeLast, scans % Self.sweepEvery != 0 else { return .earliest }
        return beforeLast - Self.slack
    }

    /// A scan has left no row that was due at `moment`.
    public mutating func drained(at moment: WallInstant) {
        scans += 1
        beforeLast = last
        last = moment
    }
}
