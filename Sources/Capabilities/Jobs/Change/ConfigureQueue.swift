public import Postgres

extension JobStore {
    /// The limits hold for every lease that begins after the commit, and the jobs that run already count
    /// (`0008_fairness.sql`). It waits for the leases under way.
    private static let configure = Statement(
        "configure_queue",
        """
        SELECT name FROM configure_queue($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """, [.text, .int4, .int4, .int4, .float8, .int4, .int4, .int4, .int4], isIdempotent: true)

    /// Gives a queue these settings in place of those that it had. A queue that does not exist is made.
    public func configure(queue name: String, _ settings: QueueSettings) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.append(text: name)
        parameters.append(settings.runningMax)
        parameters.append(settings.runningPerKeyMax)
        parameters.append(settings.rate?.count)
        parameters.append(settings.rate?.seconds)
        parameters.append(settings.rate?.burst)
        parameters.append(settings.succeededHours)
        parameters.append(settings.failedHours)
        parameters.append(settings.cancelledHours)
        _ = try await general.execute(Self.configure, parameters)
    }

    private static let settings = Statement(
        "queue_settings",
        """
        SELECT name, max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours,
               failed_hours, cancelled_hours
        FROM queue
        """, isIdempotent: true)

    /// The settings of every queue that there is, by name.
    public func queueSettings() async throws(PostgresError) -> [String: QueueSettings] {
        var all: [String: QueueSettings] = [:]
        for row in try await hot.execute(Self.settings) {
            var settings = QueueSettings()
            settings.runningMax = try row.optionalInt4(1)
            settings.runningPerKeyMax = try row.optionalInt4(2)
            if let count = try row.optionalInt4(3) {
                settings.rate = StartRate(count: count, seconds: try row.float8(4), burst: try row.int4(5))
            }
            settings.succeededHours = try row.optionalInt4(6)
            settings.failedHours = try row.optionalInt4(7)
            settings.cancelledHours = try row.optionalInt4(8)
            all[try row.text(0)] = settings
        }
        return all
    }
}
