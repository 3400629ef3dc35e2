internal import Jobs
internal import Postgres
internal import Telemetry
internal import Values

/// When the worker compares the leases that PostgreSQL has of it with those that it knows of.
///
/// If the connection is lost after a lease was committed and before its answer has arrived, nobody knows of the jobs:
/// they would stay `running` until their leases end, and then have spent an attempt without having run. So the worker
/// releases what it does not know of. It looks after each lost answer: at once, and twice more, because PostgreSQL may
/// execute a statement after its client is gone; and regularly, in any case.
///
/// A lease that is finished at the same time looks as if nobody knew of it. Releasing it changes nothing, because the
/// lease does not exist any more.
struct LeaseReconciler {
    static let interval = Duration.seconds(30)
    static let delaysAfterLoss: [Duration] = [.zero, .seconds(2), .seconds(10)]
    /// Leases of one look.
    static let leasesMax: Int32 = 10_000

    /// In ascending order; never empty.
    private var looks: [MonotonicInstant]

    init(now: MonotonicInstant) {
        looks = [now + Self.interval]
    }

    /// The instant of the next look.
    var next: MonotonicInstant { looks[0] }

    /// The answer to a lease did not arrive, or a look failed.
    mutating func answerWasLost(at now: MonotonicInstant) {
        looks = Self.delaysAfterLoss.map { now + $0 } + [now + Self.interval]
    }

    /// Whether to look now.
    mutating func isDue(at now: MonotonicInstant) -> Bool {
        guard next <= now else { return false }
        looks.removeAll { $0 <= now }
        if looks.isEmpty { looks = [now + Self.interval] }
        return true
    }
}
