public import Telemetry

/// The metrics of workers. Heartbeats carry them to PostgreSQL, from which every api reads them for its metrics page.
public enum WorkerMetrics {
    public static let wait = MetricDeclaration(
        .histogram, "job_wait_seconds", help: "Time in seconds from the moment a job is ready to its lease.",
        labels: ["queue"], bounds: HistogramBounds.jobSeconds)
    public static let duration = MetricDeclaration(
        .histogram, "job_duration_seconds", help: "Duration of attempts in seconds, whatever their outcome.",
        labels: ["queue"], bounds: HistogramBounds.jobSeconds)
    public static let leaseLost = MetricDeclaration(
        .counter, "worker_lease_lost_total",
        help: "Attempts whose lease was lost: it expired, or the job was reclaimed or ended.")
    public static let resultsUnacknowledged = MetricDeclaration(
        .counter, "worker_results_unacknowledged_total",
        help: "Attempts whose lease was gone after an unacknowledged commit: recorded, or lost before.")

    public static let all = [wait, duration, leaseLost, resultsUnacknowledged]
}
