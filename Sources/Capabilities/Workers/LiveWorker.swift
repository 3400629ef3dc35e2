internal import Postgres
public import Values

/// What a worker says of itself when it joins.
public struct WorkerDescription: Hashable, Sendable {
    /// One boot of one process. Names recur (in a StatefulSet, say), incarnations never.
    public var incarnation: UUID
    /// What people call it; the host's name unless configured.
    public var name: String
    public var host: String
    public var version: String
    /// nil: all.
    public var queues: [String]?
    /// That it has handlers for, `hook.*` for all that begin so; nil: not said.
    public var types: [String]?
    /// Jobs that it runs at once.
    public var concurrency: Int32

    public init(
        incarnation: UUID, name: String, host: String, version: String, queues: [String]?, types: [String]? = nil,
        concurrency: Int32
    ) {
        self.incarnation = incarnation
        self.name = name
        self.host = host
        self.version = version
        self.queues = queues
        self.types = types
        self.concurrency = concurrency
    }
}

/// A worker whose heartbeat has not run out.
public struct LiveWorker: Sendable {
    /// The short form of the incarnation that leases carry.
    public let id: Int64
    public let description: WorkerDescription
    /// Jobs that it ran at the last heartbeat.
    public let running: Int32
    /// It may sleep until it is notified.
    public let isWaiting: Bool
    public let startedAt: WallInstant
    public let heartbeatAt: WallInstant
    /// The latest change of control that it has obeyed.
    public let pauseVersion: Int64
}
