internal import Values

/// The PostgreSQL parameters of a session. They are set by one statement after connecting, before the first use. In the
/// startup packet (`options`) they would save that round trip, but a pooler would drop them.
///
/// The hot statements depend on their profile and must not be executed without it: with default settings and stale
/// statistics their plans change.
///
/// Every setting that changes what a statement means, and that a role or a database may set by default (ALTER ROLE,
/// ALTER DATABASE), is pinned. `default_transaction_read_only` is not: it is how an administrator keeps all programs
/// from writing. Costs and memory are the administrator's too.
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

    /// For reports over the whole database: default planning, on one processor at most.
    public static let reports = SessionProfile(parameters: common + [("max_parallel_workers_per_gather", "0")])

    /// For NOTIFY: commits do not wait for the disk, because a notification lost in a crash does no harm.
    public static let notifying = SessionProfile(parameters: common + [("synchronous_commit", "off")])

    private static let common: [(name: String, value: String)] =
        [
            ("jit", "off"),
            ("TimeZone", "UTC"),
            // An abandoned transaction would hold back vacuum for the whole cluster.
            ("idle_in_transaction_session_timeout", "60s"),
        ] + meaning + planning

    /// PostgreSQL's own defaults, of what decides what statements mean and what they are allowed.
    private static let meaning: [(name: String, value: String)] = [
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"),
        ("standard_conforming_strings", "on"),
        ("backslash_quote", "safe_encoding"),
        ("array_nulls", "on"),
        ("transform_null_equals", "off"),
        ("quote_all_identifiers", "off"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("extra_float_digits", "1"),
        ("bytea_output", "hex"),
        ("row_security", "on"),
        ("check_function_bodies", "on"),
        ("default_tablespace", ""),
        ("temp_tablespaces", ""),
        ("default_table_access_method", "heap"),
        ("restrict_nonsystem_relation_kind", ""),
        ("gin_fuzzy_search_limit", "0"),
        ("client_min_messages", "notice"),
        ("exit_on_error", "off"),
        ("idle_session_timeout", "0"),
        ("transaction_timeout", "0"),
    ]

    /// The same, of what decides the form of plans. The hot profile changes some.
    private static let planning: [(name: String, value: String)] =
        [
            ("plan_cache_mode", "auto"), ("constraint_exclusion", "partition"), ("from_collapse_limit", "8"),
            ("join_collapse_limit", "8"), ("force_parallel_mode", "off"), ("debug_parallel_query", "off"),
        ]
        + [
            "bitmapscan", "gathermerge", "hashagg", "hashjoin", "incremental_sort", "indexonlyscan", "indexscan",
            "material", "memoize", "mergejoin", "nestloop", "partition_pruning", "seqscan", "sort", "tidscan",
        ].map { ("enable_\($0)", "on") }
}
