public import Telemetry

/// What workers count. It reaches PostgreSQL with their heartbeats, and from there the metrics page of every api.
public enum WorkerMetrics {
    public static let wait = MetricDeclaration(
        .histogram, "job_wait_seconds", help: "From the instant at which a job could run to its lease.",
        labels: ["queue"], bounds: HistogramBounds.jobSeconds)
    public static let duration = MetricDeclaration(
        .histogram, "job_duration_seconds", help: "How long attempts ran, however they ended.",
        labels: ["queue"], bounds: HistogramBounds.jobSeconds)
    public static let leaseLost = MetricDeclaration(
        .counter, "worker_lease_lost_total",
        help: "Attempts whose lease a worker lost: it expired, or the job was taken back.")

    public static let all = [wait, duration, leaseLost]
}
