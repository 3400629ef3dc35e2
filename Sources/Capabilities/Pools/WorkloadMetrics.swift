public import Telemetry

/// What members of pools count. It reaches PostgreSQL with the heartbeats of their workers.
public enum WorkloadMetrics {
    public static let restarts = MetricDeclaration(
        .counter, "pool_workload_restarts_total",
        help: "Workload processes that ended by themselves and were restarted.", labels: ["pool"])
}
