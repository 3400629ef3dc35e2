public import Telemetry

/// The counters of the watchdog. It has no heartbeat: each of its statements adds to the sums in PostgreSQL.
public enum WatchdogMetrics {
    public static let jobs = MetricDeclaration(
        .counter, "watchdog_jobs_total",
        help: "Jobs ended by the watchdog because they did not stop after their cancellation.", labels: ["action"])
}
