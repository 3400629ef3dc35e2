/// When the jobs of a worker that has died may be run by another one. By the heartbeat, unless the handler of a job or
/// its queue says otherwise.
public enum Takeover: String, CaseIterable, Sendable {
    /// When its heartbeats have been missing for `WorkerRegistry.aliveSeconds`. A worker that lives but cannot reach
    /// PostgreSQL may run a job at the same time as the one that has taken it over.
    case heartbeat
    /// When the lease ends, which a worker that lives knows: it stops the job before.
    case lease
}
