internal import Values

/// When a lease must be renewed and when its job must be stopped, on this machine's monotonic clock.
///
/// PostgreSQL alone decides when a lease has expired, by its own clock; the worker never compares clocks, only
/// durations. It counts from *before* it sent the statement that gave or renewed the lease, so that it always
/// believes the lease to end earlier than PostgreSQL does.
struct LeaseClock {
    /// The part of a lease after which it is renewed.
    static let renewalPart = 3
    /// The part of a lease that is left when the job is stopped because no renewal has come through.
    static let safetyPart = 10

    let duration: Duration
    /// Before the statement was sent that gave or last renewed the lease.
    private(set) var grantedAt: MonotonicInstant

    init(duration: Duration, grantedAt: MonotonicInstant) {
        self.duration = duration
        self.grantedAt = grantedAt
    }

    mutating func renewed(at instant: MonotonicInstant) {
        grantedAt = instant
    }

    var renewAt: MonotonicInstant { grantedAt + duration / Self.renewalPart }

    /// The instant from which on somebody else might soon run the job.
    var stopAt: MonotonicInstant { grantedAt + (duration - duration / Self.safetyPart) }
}
