internal import Jobs
internal import Pauses
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Follows the pause state, and acknowledges it.
///
/// No lease of a paused scope is ever committed: the lease statement enforces it. The worker does the rest: if
/// everything is paused it does not try to lease, and it releases paused jobs that it has leased and not started. Then
/// it acknowledges the version, for callers that wait until every worker has.
///
/// It runs when it is notified, and at an interval, because notifications are lost with a connection.
struct PauseWatcher: PeriodicTask {
    let name = "pauses"
    let failureMessage = "cannot read the pause state; the lease statement still enforces it"
    let failureLevel = LogLevel.warning
    let pauses: PauseStore
    let registry: WorkerRegistry
    let identity: WorkerIdentity
    let runner: AttemptRunner
    let leaseLoop: LeaseLoop
    let logger: Logger
    /// What was acknowledged, and as which worker.
    private var acknowledged: (version: Int64, worker: Int64) = (-1, 0)

    init(
        pauses: PauseStore, registry: WorkerRegistry, identity: WorkerIdentity, runner: AttemptRunner,
        leaseLoop: LeaseLoop, logger: Logger
    ) {
        self.pauses = pauses
        self.registry = registry
        self.identity = identity
        self.runner = runner
        self.leaseLoop = leaseLoop
        self.logger = logger
    }

    mutating func runOnce() async throws(PostgresError) -> NoReport {
        let id = identity.id
        let latest = try await pauses.latest()
        guard (latest.version, id) != acknowledged else { return NoReport() }
        let paused = try await pauses.states().filter(\.isPaused).map(\.scope)
        apply(paused, version: latest.version)
        try await registry.acknowledge(
            id: id, pauseVersion: latest.version, running: Int32(clamping: runner.runningCount))
        acknowledged = (latest.version, id)
        return NoReport()
    }

    private func apply(_ paused: [PauseScope], version: Int64) {
        runner.pause(PausedScopes(paused))
        leaseLoop.setPaused(paused.contains(.all), by: .pauseState)
        logger.info(
            paused.isEmpty ? "nothing is paused" : "paused",
            [
                "control_version": .integer(version), "running": .integer(runner.runningCount),
                "scopes": .string(paused.map(\.text).joined(separator: " ")),
            ])
    }
}

/// Follows the control file, which can pause this worker alone.
struct PauseFileWatcher: PeriodicTask {
    typealias Failure = Never

    static let interval = Duration.seconds(2)

    let name = "control file"
    let file: PauseFile
    let runner: AttemptRunner
    let leaseLoop: LeaseLoop
    let registration: Registration
    let logger: Logger
    private var last: PauseFile.Content?
    private var isPaused = false

    init(
        file: PauseFile, runner: AttemptRunner, leaseLoop: LeaseLoop, registration: Registration, logger: Logger
    ) {
        self.file = file
        self.runner = runner
        self.leaseLoop = leaseLoop
        self.registration = registration
        self.logger = logger
    }

    mutating func runOnce() async -> NoReport {
        let content = file.read()
        guard content != last else { return NoReport() }
        last = content
        log(content)
        // Content that cannot be parsed changes nothing: a pause continues, and none begins.
        if case .paused(let isPaused) = content { self.isPaused = isPaused }
        if isPaused { runner.releaseUnstarted() }
        leaseLoop.setPaused(isPaused, by: .file)
        registration.setPausedByFile(isPaused)
        return NoReport()
    }

    private func log(_ content: PauseFile.Content) {
        switch content {
        case .paused(true): logger.info("paused by a file", ["file": .string(file.path)])
        case .paused(false): logger.debug("the control file pauses nothing", ["file": .string(file.path)])
        case .invalid(let problem):
            logger.warning(
                "the control file changes nothing", ["file": .string(file.path), "error": .string(problem)])
        }
    }
}

/// The scopes that are paused, for a worker that checks whether a job is.
struct PausedScopes: Sendable {
    private var all = false
    private var queues: Set<String> = []
    private var types: Set<String> = []

    var isEmpty: Bool { !all && queues.isEmpty && types.isEmpty }

    init(_ scopes: [PauseScope] = []) {
        for scope in scopes {
            switch scope {
            case .all: all = true
            case .queue(let name): queues.insert(name)
            case .type(let name): types.insert(name)
            }
        }
    }

    func contain(_ job: LeasedJob) -> Bool {
        all || queues.contains(job.queue) || types.contains(job.type)
    }
}
