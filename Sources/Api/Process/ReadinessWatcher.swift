internal import Postgres
internal import Service
internal import Telemetry

/// Logs whether the api is ready when that changes, and not with each request.
struct ReadinessWatcher: PeriodicTask {
    typealias Failure = Never

    static let interval = Duration.seconds(2)

    let name = "watch readiness"
    let readiness: Readiness
    /// Has the reason in PostgreSQL's words, which clients do not get.
    let pool: ConnectionPool
    let logger: Logger
    private var last: Readiness.State?

    init(readiness: Readiness, pool: ConnectionPool, logger: Logger) {
        self.readiness = readiness
        self.pool = pool
        self.logger = logger
    }

    mutating func runOnce() async -> NoReport {
        let state = await readiness.state()
        if state != last, !readiness.isDraining { log(state) }
        last = state
        return NoReport()
    }

    private func log(_ state: Readiness.State) {
        switch state {
        case .unready(let reason):
            var fields: LogFields = ["reason": .string(reason)]
            if let failure = pool.lastFailure { fields.set(.init("error", .error(failure))) }
            logger.warning("not ready", fields)
        case .ready(let version, let allIsPaused):
            logger.info("ready", ["schema_version": .integer(version), "paused": .boolean(allIsPaused)])
            if let lead = SchemaVersion.lead(current: version) {
                logger.warning("the schema is newer than this release", ["reason": .string(lead)])
            }
        }
    }
}
