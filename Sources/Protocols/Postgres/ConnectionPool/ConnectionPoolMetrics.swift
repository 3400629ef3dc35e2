public import Telemetry

/// The metrics of connection pools. All pools of a process are added up.
public struct ConnectionPoolMetrics: Sendable {
    let idle: Gauge
    let busy: Gauge
    let waiting: Gauge
    let connects: Counter
    let connectFailures: Counter
    let losses: Counter
    let waitTimeouts: Counter
    let lockTimeouts: Counter
    let conflicts: Counter

    public init(registry: MetricRegistry) {
        idle = registry.gauge("postgres_pool_idle", help: "Idle connections to PostgreSQL.")
        busy = registry.gauge("postgres_pool_busy", help: "Connections to PostgreSQL in use.")
        waiting = registry.gauge("postgres_pool_waiting", help: "Callers that wait for a connection to PostgreSQL.")
        connects = registry.counter("postgres_pool_connects_total", help: "Connections to PostgreSQL opened.")
        connectFailures = registry.counter(
            "postgres_pool_connect_failures_total", help: "Attempts to connect to PostgreSQL that failed.")
        losses = registry.counter(
            "postgres_pool_losses_total", help: "Open connections to PostgreSQL that broke.")
        waitTimeouts = registry.counter(
            "postgres_pool_wait_timeouts_total",
            help: "Callers refused for lack of a connection: waited too long, or too many waited.")
        lockTimeouts = registry.counter(
            "postgres_lock_timeouts_total",
            help: "Tries of a statement given up because another transaction held its lock; most are tried again.")
        conflicts = registry.counter(
            "postgres_conflicts_total",
            help: "Transactions aborted by a deadlock or serialization failure, and repeated.")
    }

    /// One pool's share of the gauges.
    struct Usage {
        var idle = 0
        var busy = 0
        var waiting = 0
    }

    /// Adds the difference between a pool's new and last reported usage to the gauges.
    func update(_ reported: inout Usage, to now: Usage) {
        if now.idle != reported.idle { idle.add(Double(now.idle - reported.idle)) }
        if now.busy != reported.busy { busy.add(Double(now.busy - reported.busy)) }
        if now.waiting != reported.waiting { waiting.add(Double(now.waiting - reported.waiting)) }
        reported = now
    }
}
