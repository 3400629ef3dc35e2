internal import Configuration
internal import EventLoop
internal import Postgres
internal import TLS
internal import Telemetry

/// What the process looks after every two seconds: rotated credentials, renewed certificates, and whether PostgreSQL is
/// there, which is told to the log when it changes and not with each request.
struct Maintenance: Sendable {
    let database: DatabaseSource
    let databases: LoopDatabases
    let readiness: Readiness
    let tls: TLSServerContext?
    let logger: Logger

    private static let interval = Duration.seconds(2)

    /// Until the process stops, which says so itself. Run it on a loop.
    func run(on loop: Loop) async {
        var lastState: Readiness.State?
        tellWarnings()
        while !readiness.isDraining {
            refreshCredentials()
            reloadCertificate()
            let state = await readiness.state()
            if state != lastState, !readiness.isDraining { tell(state) }
            lastState = state
            do {
                try await loop.sleep(for: Self.interval)
            } catch {
                return
            }
        }
    }

    private func tell(_ state: Readiness.State) {
        switch state {
        case .unready(let reason):
            var fields: LogFields = ["reason": .string(reason)]
            if let failure = databases.first.hot.lastFailure { fields.set(.init("error", .error(failure))) }
            logger.warning("not ready", fields)
        case .ready(let version, let allIsPaused):
            logger.info("ready", ["schema_version": .integer(version), "paused": .boolean(allIsPaused)])
            if let lead = SchemaVersion.lead(current: version) {
                logger.warning("the schema is newer than this release", ["reason": .string(lead)])
            }
        }
    }

    private func refreshCredentials() {
        switch database.refresh() {
        case .unchanged: return
        case .rotated:
            logger.info("the database credentials were rotated")
            for database in databases.all { database.retireConnections() }
        case .failed(let problem):
            logger.warning(
                "the database credentials cannot be read; those from before stay in use", ["error": .string(problem)])
        }
    }

    private func reloadCertificate() {
        guard let tls else { return }
        do throws(TLSFileError) {
            guard try tls.reloadIfChanged() else { return }
            logger.info("the certificate was renewed", ["file": .string(tls.certificateFile)])
            tellWarnings()
        } catch {
            logger.warning(
                "the new certificate cannot be used; the one from before stays in use", ["error": .error(error)])
        }
    }

    private func tellWarnings() {
        for warning in tls?.warnings ?? [] { logger.warning("certificate: \(warning)") }
    }
}
