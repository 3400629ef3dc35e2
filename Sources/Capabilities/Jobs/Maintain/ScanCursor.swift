public import Values

/// From which instant on a scan of expiry or due times is worth while.
///
/// Rows that were taken leave dead entries behind in the index, which every later scan would walk over for as long as
/// some transaction pins the xmin horizon. So a scan begins a little before the tick before the last one, since all
/// that was due by then has been taken; and now and then from the very beginning (a sweep), which finds what became
/// visible late: rows that a slow transaction committed, or that were locked when the scan came by.
///
/// A hint: wrong, it costs delay until the next sweep, never a job. All instants are PostgreSQL's.
public struct ScanCursor: Sendable {
    /// How much longer than a tick a transaction may take whose rows are found without a sweep.
    public static let slack = Duration.seconds(10)
    /// Every so many scans one is a sweep; the first is.
    public static let sweepEvery = 10

    private var scans = 0
    private var last: WallInstant?
    private var beforeLast: WallInstant?

    public init() {}

    /// Where the next scan begins.
    public var lowerBound: WallInstant {
        guard let beforeLast, scans % Self.sweepEvery != 0 else { return .earliest }
        return beforeLast - Self.slack
    }

    /// A scan has found nothing left that was due at `moment`.
    public mutating func drained(at moment: WallInstant) {
        scans += 1
        beforeLast = last
        last = moment
    }
}
