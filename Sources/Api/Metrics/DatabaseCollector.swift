internal import Postgres
internal import Telemetry

/// Metrics of what slows a queue in PostgreSQL down: dead rows, and old transactions that keep vacuum from removing
/// them.
enum DatabaseCollector {
    static let up = MetricDeclaration(
        .gauge, "jobqueue_database_up",
        help: "1 if PostgreSQL answers; 0 if not: then the cluster-wide metrics are missing.")
    static let deadTuples = MetricDeclaration(
        .gauge, "jobqueue_dead_tuples", help: "Dead rows by table, estimated by PostgreSQL.", labels: ["table"])
    static let oldestTransaction = MetricDeclaration(
        .gauge, "jobqueue_oldest_transaction_seconds",
        help: "Age in seconds of the oldest transaction on the server that may hold back vacuum.")

    static let statistics = [deadTuples, oldestTransaction]

    /// Partitions count for their parent: their names, which contain dates, would be an unbounded number of labels.
    private static let deadTupleStatement = Statement(
        "dead_tuples",
        """
        SELECT COALESCE(p.relname, s.relname)::text, sum(s.n_dead_tup)::bigint
        FROM pg_stat_user_tables s
        LEFT JOIN pg_inherits i ON i.inhrelid = s.relid
        LEFT JOIN pg_class p ON p.oid = i.inhparent
        WHERE s.schemaname = current_schema()
        GROUP BY 1
        """, isIdempotent: true)

    /// Transactions of other users are visible only to members of pg_read_all_stats. Prepared transactions hold back
    /// vacuum, too.
    private static let oldestTransactionStatement = Statement(
        "oldest_transaction",
        """
        SELECT COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(began)), 0)::float8
        FROM (SELECT xact_start AS began FROM pg_stat_activity
              WHERE pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
                AND backend_type = 'client backend'
              UNION ALL
              SELECT prepared FROM pg_prepared_xacts) AS open
        """, isIdempotent: true)

    static func read(_ pool: ConnectionPool, timeout: Duration) async throws(PostgresError) -> [MetricFamily] {
        var dead = MetricFamily(deadTuples)
        let counts = try await pool.execute(deadTupleStatement(), timeout: timeout)
        for (table, count) in try counts.decode((String, Int64).self) { dead.add(Double(count), table) }
        var oldest = MetricFamily(oldestTransaction)
        let seconds: Double = try await pool.execute(oldestTransactionStatement(), timeout: timeout).decodeOnly()
        oldest.add(max(0, seconds))
        return [dead, oldest]
    }

    private static let pingStatement = Statement("ping", "SELECT 1", isIdempotent: true)

    /// Whether PostgreSQL answers at all, be it with an error.
    static func answers(_ pool: ConnectionPool, within limit: Duration) async -> Bool {
        do throws(PostgresError) {
            _ = try await pool.execute(pingStatement(), timeout: limit)
            return true
        } catch {
            if case .server = error { return true }
            return false
        }
    }

    static func isUp(_ value: Bool) -> MetricFamily {
        var family = MetricFamily(up)
        family.add(value ? 1 : 0)
        return family
    }
}
