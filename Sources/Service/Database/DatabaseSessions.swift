public import EventLoop
public import Postgres
internal import Telemetry

/// The connection pools of one loop. They open connections when these are needed.
public final class DatabaseSessions: Sendable {
    public let loop: Loop
    public let schema: String
    /// For short statements that find their rows by index. Their plans are pinned.
    public let hot: ConnectionPool
    /// For statements that may take longer. PostgreSQL chooses their plans.
    public let general: ConnectionPool
    /// For NOTIFY.
    public let notifying: ConnectionPool
    /// For reports that may take seconds, so that no request and no lease waits for one. A connection beside the
    /// others, opened by the first report: a process that makes none, or makes all on one loop, has no connection for
    /// nothing.
    public let reports: ConnectionPool

    private var all: [ConnectionPool] { [hot, general, notifying, reports] }

    /// The least number of connections: one of each kind.
    public static let connectionsMin = 3

    /// - Parameters:
    ///   - connections: without the one for reports. One is general, and one is for NOTIFY; the others are hot.
    ///   - limit: how long a statement may take, with the network, except a report; nil: the limits of the settings.
    public init(
        _ settings: SessionSettings, connections: Int, hot profile: SessionProfile = .hot,
        answerWithin limit: Duration? = nil, metrics: ConnectionPoolMetrics? = nil, on loop: Loop
    ) {
        self.loop = loop
        schema = settings.schema
        let credentials = settings.source.credentials
        func pool(_ profile: SessionProfile, size: Int, within limit: Duration?) -> ConnectionPool {
            var database = settings.database
            if let limit { database.limitStatements(to: limit) }
            return ConnectionPool(
                database, profile: profile, options: .init(size: size), on: loop, metrics: metrics,
                credentials: credentials)
        }
        hot = pool(profile, size: connections - 2, within: limit)
        general = pool(.general, size: 1, within: limit)
        notifying = pool(.notifying, size: 1, within: limit)
        // Nobody waits for a report, and one that is ended each time would never be complete.
        reports = pool(.reports, size: 1, within: .seconds(75))
    }

    /// Opens a first connection of each kind but the one for reports, so that the first request finds them.
    public func open() {
        loop.execute { [hot, general, notifying] in for pool in [hot, general, notifying] { pool.start() } }
    }

    /// Replaces every connection as soon as nothing uses it. The new ones log in with the credentials of the moment.
    public func retireConnections() {
        loop.execute { [all] in for pool in all { pool.retireAll() } }
    }

    /// Closes the connections.
    public func close() async {
        await loop.spawn { [all] in for pool in all { pool.close() } }.value
    }
}
