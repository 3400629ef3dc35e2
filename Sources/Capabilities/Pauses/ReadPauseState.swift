public import Postgres
public import Values

extension PauseStore {
    private static let states = Statement(
        "pause_states",
        """
        SELECT \(sql: PauseState.columns) FROM pause_state c ORDER BY c.scope <> 'all', c.scope
        """, isIdempotent: true)

    /// Every scope that was ever changed. `all` comes first, also if it was never changed.
    public func states() async throws(PostgresError) -> [PauseState] {
        var states: [PauseState] = try await pool.execute(Self.states()).decode()
        if states.first?.scope != .all { states.insert(PauseState(unchanged: .all), at: 0) }
        return states
    }

    /// A queue that has no name in the metrics is part of `queue:other`, a type that is not among the first 100 part of
    /// `type:other`.
    private static let metricScopes = Statement(
        "metric_pause_scopes",
        """
        WITH named_type AS (SELECT id FROM type ORDER BY id LIMIT 100)
        SELECT CASE WHEN c.queue_id IS NOT NULL AND NOT q.in_metrics THEN 'queue:other'
                    WHEN c.type_id IS NOT NULL AND t.id IS NULL THEN 'type:other'
                    ELSE c.scope END,
               bool_or(c.paused), max(c.version)
        FROM pause_state c
        LEFT JOIN queue q ON q.id = c.queue_id
        LEFT JOIN named_type t ON t.id = c.type_id
        GROUP BY 1
        """, isIdempotent: true)

    /// The scopes of the metrics that were ever changed, whether they are paused (of several: any of them), and the
    /// version of their latest change. Bounded, whatever the number of queues and types.
    public func metricScopes() async throws(PostgresError) -> [(scope: String, isPaused: Bool, version: Int64)] {
        try await pool.execute(Self.metricScopes()).decode((String, Bool, Int64).self)
            .map { (scope: $0.0, isPaused: $0.1, version: $0.2) }
    }

    private static let history = Statement<Int64, String?, Int32>(
        "pause_history",
        """
        SELECT \(sql: PauseHistoryEntry.columns)
        FROM pause_history
        WHERE version < $1 AND ($2::text IS NULL OR scope = $2)
        ORDER BY version DESC LIMIT $3
        """, isIdempotent: true)

    /// At most `limit` changes before `version`, the latest first.
    public func history(
        before version: Int64 = .max, of scope: PauseScope? = nil, limit: Int32
    ) async throws(PostgresError) -> [PauseHistoryEntry] {
        try await pool.execute(Self.history(version, scope?.text, limit)).decode()
    }

    private static let historyForward = Statement<Int64, Int32>(
        "pause_history_forward",
        """
        SELECT \(sql: PauseHistoryEntry.columns)
        FROM pause_history WHERE version > $1 ORDER BY version LIMIT $2
        """, isIdempotent: true)

    /// At most `limit` changes after `version`, in the order of their versions.
    public func history(after version: Int64, limit: Int32) async throws(PostgresError) -> [PauseHistoryEntry] {
        try await pool.execute(Self.historyForward(version, limit)).decode()
    }

    private static let latest = Statement(
        "pause_version",
        """
        SELECT COALESCE(GREATEST((SELECT max(version) FROM pause_state), (SELECT max(version) FROM pause_history)), 0),
               EXISTS (SELECT FROM active_pause WHERE queue_id IS NULL AND type_id IS NULL)
        """, isIdempotent: true)

    /// The version of the latest change of any scope, and whether the scope `all` is paused.
    public func latest() async throws(PostgresError) -> (version: Int64, allIsPaused: Bool) {
        try await pool.execute(Self.latest()).decodeOnly((Int64, Bool).self)
    }

    private static let clock = Statement("pause_clock", "SELECT clock_timestamp()", isIdempotent: true)

    /// The time of PostgreSQL's clock, which decides when pauses end.
    public func now() async throws(PostgresError) -> WallInstant {
        try await pool.execute(Self.clock()).decodeOnly()
    }
}
