public import Telemetry

/// What a process shows of its pools. All pools of a process count together.
public struct ConnectionPoolMetrics: Sendable {
    let idle: Gauge
    let busy: Gauge
    let waiting: Gauge
    let connects: Counter
    let connectFailures: Counter
    let losses: Counter
    let waitTimeouts: Counter

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
    }

    /// The gauges' part of one pool, which it updates by difference.
    struct Shown {
        var idle = 0
        var busy = 0
        var waiting = 0
    }

    func show(_ now: Shown, insteadOf before: inout Shown) {
        if now.idle != before.idle { idle.add(Double(now.idle - before.idle)) }
        if now.busy != before.busy { busy.add(Double(now.busy - before.busy)) }
        if now.waiting != before.waiting { waiting.add(Double(now.waiting - before.waiting)) }
        before = now
    }
}
