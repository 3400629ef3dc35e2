internal import Jobs
internal import Telemetry

/// Cluster-wide metrics of jobs, read from the counters in PostgreSQL: the same on every replica of the api, never
/// falling unless a backup is restored, and read without counting jobs.
enum JobCollector {
    static let created = MetricDeclaration(
        .counter, "job_created_total", help: "Jobs created.", labels: ["queue"])
    static let completed = MetricDeclaration(
        .counter, "job_completed_total", help: "Jobs that succeeded.", labels: ["queue"])
    static let failed = MetricDeclaration(
        .counter, "job_failed_total",
        help: "Jobs that failed permanently: out of attempts, or rejected by their handler.", labels: ["queue"])
    static let cancelled = MetricDeclaration(
        .counter, "job_cancelled_total", help: "Jobs cancelled.", labels: ["queue"])
    static let attempts = MetricDeclaration(
        .counter, "job_attempts_total", help: "Attempts that ended, by outcome.",
        labels: ["queue", "outcome"])
    static let acquired = MetricDeclaration(
        .counter, "worker_lease_acquired_total", help: "Leases granted to workers.", labels: ["queue"])
    static let reclaimed = MetricDeclaration(
        .counter, "lease_reclaimed_total", help: "Leases that were reclaimed: they expired, or their worker died.",
        labels: ["queue"])
    static let depth = MetricDeclaration(
        .gauge, "job_queue_depth", help: "Jobs by status. Ended jobs count until retention removes them.",
        labels: ["queue", "status"])
    static let oldest = MetricDeclaration(
        .gauge, "job_oldest_ready_seconds",
        help: "Wait in seconds of the oldest ready job that a live worker could run; 0 if there is none.",
        labels: ["queue"])
    static let unrunnable = MetricDeclaration(
        .gauge, "job_unrunnable", help: "Ready jobs that no live worker takes, by their queue or their type.",
        labels: ["queue"])

    /// Of the counts.
    static let counted = [created, completed, failed, cancelled, attempts, acquired, reclaimed, depth]
    static let declarations = counted + [oldest, unrunnable]

    /// The totals that each transition adds to.
    private static let totals: [String: [MetricDeclaration]] = [
        "enqueued": [created], "delayed": [created], "succeeded": [completed], "failed": [failed],
        "leased": [acquired], "reclaimed": [reclaimed], "reclaimed_failed": [reclaimed, failed],
        "cancelled_queued": [cancelled], "cancelled_scheduled": [cancelled], "cancelled_running": [cancelled],
        "abandoned": [failed],
    ]

    /// The outcome of an attempt that ends with the transition.
    private static let outcomes: [String: String] = [
        "succeeded": "succeeded", "failed": "failed", "retried_now": "retried", "retried_later": "retried",
        "snoozed": "snoozed", "released": "released", "reclaimed": "lease_expired",
        "reclaimed_failed": "lease_expired", "cancelled_running": "cancelled",
        "abandoned": "abandoned",
    ]

    static func families(_ counts: JobCounts) -> [MetricFamily] {
        var samples = Samples()
        for queue in Set(counts.transitions.map(\.queue)) { samples.begin(queue) }
        for transition in counts.transitions {
            for total in totals[transition.transition] ?? [] {
                samples.add(total, [transition.queue], Double(transition.count))
            }
            if let outcome = outcomes[transition.transition] {
                samples.add(attempts, [transition.queue, outcome], Double(transition.count))
            }
        }
        for entry in counts.depths { samples.set(depth, [entry.queue, entry.status.rawValue], Double(entry.count)) }
        return counted.map { samples.family($0) }
    }

    static func families(_ waits: [QueueWait]) -> [MetricFamily] {
        var (oldest, unrunnable) = (MetricFamily(oldest), MetricFamily(unrunnable))
        for wait in waits {
            oldest.add(wait.oldestSeconds, wait.queue)
            unrunnable.add(Double(wait.unrunnable), wait.queue)
        }
        return [oldest, unrunnable]
    }
}

/// The series of several metrics, while they are collected.
private struct Samples {
    private var values: [String: [[String]: Double]] = [:]

    /// A queue has all series from its first job on: `rate` needs the zero before the first event.
    mutating func begin(_ queue: String) {
        for declaration in JobCollector.counted where declaration.labels == ["queue"] {
            set(declaration, [queue], 0)
        }
        for status in JobStatus.allCases { set(JobCollector.depth, [queue, status.rawValue], 0) }
    }

    mutating func set(_ declaration: MetricDeclaration, _ labels: [String], _ value: Double) {
        values[declaration.name, default: [:]][labels] = value
    }

    mutating func add(_ declaration: MetricDeclaration, _ labels: [String], _ value: Double) {
        values[declaration.name, default: [:]][labels, default: 0] += value
    }

    func family(_ declaration: MetricDeclaration) -> MetricFamily {
        let samples = (values[declaration.name] ?? [:]).map { labels, value in
            MetricSample(part: .value, labelValues: labels, value: value)
        }
        return MetricFamily(declaration, samples: samples)
    }
}
