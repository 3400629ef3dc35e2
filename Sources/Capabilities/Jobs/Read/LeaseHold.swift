public import Values

/// Who holds a running job, and until when.
public struct LeaseHold: Equatable, Sendable {
    public enum WorkerState: String, Sendable {
        case alive
        /// Its last heartbeat is late.
        case silent
        /// It is considered dead, or has ended.
        case dead
    }

    /// When the lease ends, if it is not renewed.
    public let expiresAt: WallInstant
    /// nil: the row of the worker is gone.
    public let workerState: WorkerState?
    public let heartbeatAt: WallInstant?
    /// When another worker may run the job if this one dies.
    public let takeover: Takeover
}

extension LeaseHold {
    /// For people: what follows the name of the worker.
    var detail: String {
        let heartbeat = heartbeatAt.map { "\($0)" } ?? "never"
        return switch (workerState, takeover) {
        case (.alive, _): "the worker is alive, and renews the lease, which ends at \(expiresAt)"
        case (.silent, .heartbeat):
            "the last heartbeat of the worker came at \(heartbeat): the job is taken over when more are missing"
        case (.dead, .heartbeat): "the worker is dead: the reaper is about to reclaim the job"
        case (.silent, .lease), (.dead, .lease):
            "the last heartbeat of the worker came at \(heartbeat), and the job is taken over when the lease ends at "
                + "\(expiresAt)"
        case (nil, _): "the lease ends at \(expiresAt)"
        }
    }
}
