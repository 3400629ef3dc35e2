internal import Configuration
public import Postgres
internal import Telemetry
internal import Values

/// The database connections of a process as a service: it watches for rotated credentials and closes the connections.
/// It comes before every service that uses them.
public final class DatabaseService: ProcessService {
    public let name = "database"
    private let sessions: [DatabaseSessions]
    private let opensAtStart: Bool
    private let credentials: PeriodicService

    /// - Parameters:
    ///   - sessions: one for each loop of the process.
    ///   - opensAtStart: whether connections are opened at once, and not with the first statement.
    public init(
        _ sessions: [DatabaseSessions], _ source: DatabaseSource, opensAtStart: Bool = false, in process: ProcessContext
    ) {
        self.sessions = sessions
        self.opensAtStart = opensAtStart
        let watcher = CredentialWatcher(source: source, sessions: sessions, logger: process.logger)
        credentials = PeriodicService(watcher, every: CredentialWatcher.interval, in: process, whileDraining: true)
    }

    public func start() async {
        if opensAtStart { for sessions in sessions { sessions.open() } }
        await credentials.start()
    }

    public func stop() async {
        await credentials.stop()
        for sessions in sessions { await sessions.close() }
    }
}

/// Reads the credentials file again when it has changed.
private struct CredentialWatcher: PeriodicTask {
    static let interval = Duration.seconds(2)

    let name = "watch credentials"
    let failureMessage = "the database credentials cannot be read; the previous ones stay in use"
    let failureLevel = LogLevel.warning
    let source: DatabaseSource
    let sessions: [DatabaseSessions]
    let logger: Logger

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    func runOnce() async throws(Unreadable) -> NoReport {
        switch source.refresh() {
        case .unchanged: break
        case .rotated:
            logger.info("the database credentials were rotated")
            for sessions in sessions { sessions.retireConnections() }
        case .failed(let problem): throw Unreadable(description: problem)
        }
        return NoReport()
    }
}
