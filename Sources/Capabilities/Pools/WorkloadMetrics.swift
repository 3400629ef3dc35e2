public import Telemetry

/// The metrics of pool members. They reach PostgreSQL with the heartbeats of the workers.
public enum WorkloadMetrics {
    public static let restarts = MetricDeclaration(
        .counter, "pool_workload_restarts_total",
        help: "Workload processes that ended by themselves and were restarted.", labels: ["pool"])
}
