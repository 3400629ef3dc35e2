public import Postgres
public import Values

/// A worker's description of itself when it joins.
public struct WorkerDescription: Hashable, Sendable {
    /// One boot of one process. Names recur (in a StatefulSet, say), incarnations never.
    public var incarnation: UUID
    /// Its name for people; the host's name unless configured.
    public var name: String
    public var host: String
    public var version: String
    /// nil: all.
    public var queues: [String]?
    /// The types that it has handlers for, `hook.*` for all that begin so; nil: unknown.
    public var types: [String]?
    /// Of those, the ones whose handlers have `Takeover.lease`.
    public var keptTypes: [String]
    /// Maximum number of jobs that it runs at once.
    public var concurrency: Int32

    public init(
        incarnation: UUID, name: String, host: String, version: String, queues: [String]?, types: [String]? = nil,
        keptTypes: [String] = [], concurrency: Int32
    ) {
        self.incarnation = incarnation
        self.name = name
        self.host = host
        self.version = version
        self.queues = queues
        self.types = types
        self.keptTypes = keptTypes
        self.concurrency = concurrency
    }
}

/// A worker whose heartbeat has not expired.
public struct LiveWorker: Sendable {
    /// The short form of the incarnation, which leases carry.
    public let id: Int64
    public let description: WorkerDescription
    /// Number of jobs that it ran at the last heartbeat.
    public let running: Int32
    /// It may sleep until it is notified.
    public let isWaiting: Bool
    public let startedAt: WallInstant
    public let heartbeatAt: WallInstant
    /// The latest version of the pause state that it has applied.
    public let pauseVersion: Int64
    /// The longest turn of its event loop in the last one to two minutes before the heartbeat.
    public let loopTurnSeconds: Double
    /// Its own control file lets it lease nothing.
    public let isPausedByFile: Bool
}

extension WorkerDescription: StatementInputGroup {
    public var statementInputs: StatementInputs<UUID, String, String, String, [String]?, [String]?, [String], Int32> {
        StatementInputs(incarnation, name, host, version, queues, types, keptTypes, concurrency)
    }
}

extension WorkerDescription: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        incarnation = try columns.next()
        name = try columns.next()
        host = try columns.next()
        version = try columns.next()
        queues = try columns.next()
        types = try columns.next()
        keptTypes = try columns.next()
        concurrency = try columns.next()
    }
}

extension LiveWorker: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        description = try WorkerDescription(&columns)
        running = try columns.next()
        isWaiting = try columns.next()
        startedAt = try columns.next()
        heartbeatAt = try columns.next()
        pauseVersion = try columns.next()
        loopTurnSeconds = try columns.next()
        isPausedByFile = try columns.next()
    }
}
