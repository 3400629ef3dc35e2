internal import Values

/// The instants at which a lease is renewed and its job is stopped, on this machine's monotonic clock.
///
/// PostgreSQL alone decides when a lease expires, by its own clock. The worker compares durations, never clocks. It
/// counts from *before* it sent the statement that granted or renewed the lease, so the lease always ends earlier for
/// the worker than for PostgreSQL.
struct LeaseClock {
    /// A lease is renewed after 1/`renewalPart` of its duration.
    static let renewalPart = 3
    /// Without a renewal, the job is stopped when 1/`safetyPart` of the duration is left.
    static let safetyPart = 10

    let duration: Duration
    /// Before the statement was sent that granted or last renewed the lease.
    private(set) var grantedAt: MonotonicInstant

    init(duration: Duration, grantedAt: MonotonicInstant) {
        self.duration = duration
        self.grantedAt = grantedAt
    }

    mutating func renewed(at instant: MonotonicInstant) {
        grantedAt = instant
    }

    var renewAt: MonotonicInstant { grantedAt + duration / Self.renewalPart }

    /// From this instant on another worker might soon run the job.
    var stopAt: MonotonicInstant { grantedAt + (duration - duration / Self.safetyPart) }
}
