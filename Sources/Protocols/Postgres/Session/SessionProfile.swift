/// The settings that a session starts with. One statement sets them as soon as it is connected, before anybody is given
/// the connection: in the startup packet (`options`) they would save its round trip, and be lost behind a pooler.
///
/// The hot statements count on theirs: a connection that lacks them must not run them, since with default settings
/// and stale statistics their plans flip.
public struct SessionProfile: Sendable {
    /// Names and values of PostgreSQL's parameters.
    public var parameters: [(name: String, value: String)]

    public init(parameters: [(name: String, value: String)]) {
        self.parameters = parameters
    }

    /// For the prepared statements of the queue: one generic plan each, by index, without compilation.
    public static let hot = SessionProfile(
        parameters: common + [
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_sort", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_bitmapscan", "off"),
        ])

    /// For everything else: PostgreSQL plans as it sees fit.
    public static let general = SessionProfile(parameters: common)

    /// For NOTIFY, which loses nothing when a crash takes the last commits: no wait for the disk.
    public static let notifying = SessionProfile(parameters: common + [("synchronous_commit", "off")])

    private static let common: [(name: String, value: String)] = [
        ("jit", "off"),
        ("TimeZone", "UTC"),
        // A transaction that its owner has forgotten would hold back vacuum for everyone.
        ("idle_in_transaction_session_timeout", "60s"),
    ]
}
