/// A subqueue: one FIFO, the jobs of one queue, type and priority, with or without a concurrency key.
///
/// Subqueues never change, and their ids are not used again. A subqueue without jobs may be removed (`CreationLock`).
public struct Subqueue: Hashable, Sendable {
    public let id: Int32
    public let queueID: Int32
    public let typeID: Int32
    public let queue: String
    public let type: String
    public let priority: Int16
    /// Whether its jobs have concurrency keys.
    public let isKeyed: Bool
    /// Whether its queue has a name in the metrics, which never changes.
    public let isInMetrics: Bool

    /// The name of its queue in the metrics.
    public var metricsQueue: String { isInMetrics ? queue : QueueReports.otherQueues }
}
