public import Telemetry

/// What the watchdog counts. It has no heartbeat: each of its runs adds to the sums in PostgreSQL with what it does.
public enum WatchdogMetrics {
    public static let jobs = MetricDeclaration(
        .counter, "watchdog_jobs_total",
        help: "Jobs ended by the watchdog because they did not stop after their cancellation.", labels: ["action"])
}
