internal import Values

/// The PostgreSQL parameters of a session. They are set by one statement after connecting, before the first use. In the
/// startup packet (`options`) they would save that round trip, but a pooler would drop them.
///
/// The hot statements depend on their profile and must not be executed without it: with default settings and stale
/// statistics their plans change.
public struct SessionProfile: Sendable {
    /// Names and values of PostgreSQL's parameters.
    public var parameters: [(name: String, value: String)]

    public init(parameters: [(name: String, value: String)]) {
        self.parameters = parameters
    }

    /// The same profile, with a limit for each wait for a lock.
    func limitingLockWaits(to duration: Duration) -> SessionProfile {
        SessionProfile(parameters: parameters + [("lock_timeout", "\(duration.clampedNanoseconds / 1_000_000)ms")])
    }

    /// For the prepared statements of the queue: generic plans, index scans, no JIT compilation.
    public static let hot = SessionProfile(
        parameters: common + [
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_sort", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_bitmapscan", "off"),
        ])

    /// For all other statements: default planning.
    public static let general = SessionProfile(parameters: common)

    /// For reports over the whole database: default planning on one processor at most, and an end for a report that
    /// nobody can wait for.
    public static let reports = SessionProfile(
        parameters: common + [("max_parallel_workers_per_gather", "0"), ("statement_timeout", "60s")])

    /// For NOTIFY: commits do not wait for the disk, because a notification lost in a crash does no harm.
    public static let notifying = SessionProfile(parameters: common + [("synchronous_commit", "off")])

    private static let common: [(name: String, value: String)] = [
        ("jit", "off"),
        ("TimeZone", "UTC"),
        // An abandoned transaction would hold back vacuum for the whole cluster.
        ("idle_in_transaction_session_timeout", "60s"),
    ]
}
