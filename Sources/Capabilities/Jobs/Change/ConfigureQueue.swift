public import Postgres

extension JobStore {
    /// The limits hold for every lease that begins after the commit, and the jobs that run already count
    /// (`0008_fairness.sql`). It waits for the leases under way (`PauseGate`).
    private static let configureStatement = Statement<String, QueueSettings>(
        "configure_queue",
        """
        SELECT name FROM configure_queue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """, isIdempotent: true)

    /// Replaces the settings of a queue, and notifies the workers that wait for its limits. A queue that does not exist
    /// is created.
    public func configure(queue name: String, _ settings: QueueSettings) async throws(PostgresError) {
        _ = try await general.execute(Self.configureStatement(name, settings))
        notifier?.notifyOfLimits(name)
    }
}

extension QueueSettings: StatementInputGroup {
    public var statementInputs: StatementInputs<Int32?, Int32?, StartRate?, Int32?, Int32?, Int32?, Bool> {
        StatementInputs(
            runningMax, runningPerKeyMax, rate, succeededHours, failedHours, cancelledHours, takeover == .lease)
    }
}

extension QueueSettings: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        runningMax = try columns.next()
        runningPerKeyMax = try columns.next()
        rate = try StartRate?(&columns)
        succeededHours = try columns.next()
        failedHours = try columns.next()
        cancelledHours = try columns.next()
        takeover = try columns.next() ? .lease : .heartbeat
    }
}

/// Three columns, NULL together where there is no rate.
extension StartRate: StatementInputGroup {
    public var statementInputs: StatementInputs<Int32, Double, Int32> { StatementInputs(count, seconds, burst) }
}

extension StartRate: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        self.init(count: try columns.next(), seconds: try columns.next(), burst: try columns.next() as Int32)
    }

    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> StartRate? {
        let count: Int32? = try columns.next()
        let seconds: Double? = try columns.next()
        let burst: Int32? = try columns.next()
        guard let count, let seconds else { return nil }
        return StartRate(count: count, seconds: seconds, burst: burst)
    }
}
