internal import EventLoop
internal import Jobs
internal import Pauses
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Learns what is paused, obeys, and says so.
///
/// No lease of a paused scope commits whatever this worker knows: the lease statement looks for itself. What is obeyed
/// here is the rest: a worker that is paused as a whole does not even ask, and gives back what it has leased and not
/// begun. When it has, it writes down the version, for those who wait until every worker has.
///
/// It hears by NOTIFY, and looks now and then, since notifications are lost with a connection.
final class PauseWatcher: Sendable {
    struct Options: Sendable {
        /// False: it neither looks nor says that it has obeyed.
        var isEnabled: Bool
        var pollInterval: Duration
        /// May add a pause of this worker alone; nil: there is none.
        var file: PauseFile?
    }

    /// Between two looks at the file.
    private static let fileInterval = Duration.seconds(2)

    private struct State {
        var allIsPaused = false
        var fileIsPaused = false
    }

    private let options: Options
    private let control: PauseStore
    private let registry: WorkerRegistry
    private let identity: WorkerIdentity
    private let runner: AttemptRunner
    private let leaseLoop: LeaseLoop
    private let loop: Loop
    private let logger: Logger
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    init(
        options: Options, control: PauseStore, registry: WorkerRegistry, identity: WorkerIdentity,
        runner: AttemptRunner, leaseLoop: LeaseLoop, on loop: Loop, logger: Logger
    ) {
        self.options = options
        self.control = control
        self.registry = registry
        self.identity = identity
        self.runner = runner
        self.leaseLoop = leaseLoop
        self.loop = loop
        self.logger = logger
        wakeSignal = WakeSignal(on: loop)
    }

    /// Something was changed, or a notification may have been missed. Call it on the loop.
    func lookAgain() {
        wakeSignal.wake()
    }

    /// Until the task is cancelled.
    func run() async {
        guard options.isEnabled else { return }
        var obeyed: (version: Int64, worker: Int64) = (-1, 0)
        while !Task.isCancelled {
            do throws(PostgresError) {
                let id = identity.id
                let latest = try await control.latest()
                if (latest.version, id) != obeyed {
                    let paused = try await control.states().filter(\.isPaused).map(\.scope)
                    obey(paused, version: latest.version)
                    try await registry.acknowledge(
                        id: id, pauseVersion: latest.version, running: Int32(clamping: runner.runningCount))
                    obeyed = (latest.version, id)
                }
            } catch {
                logger.warning("it is not known what is paused; leases look for themselves", ["error": .error(error)])
            }
            await wakeSignal.wait(until: .now() + options.pollInterval * Double.random(in: 0.9...1.1))
        }
    }

    private func obey(_ paused: [PauseScope], version: Int64) {
        runner.pause(PausedScopes(paused))
        state.withLock { $0.allIsPaused = paused.contains(.all) }
        apply()
        logger.info(
            paused.isEmpty ? "nothing is paused" : "paused",
            [
                "control_version": .integer(version), "running": .integer(runner.runningCount),
                "scopes": .string(paused.map(\.text).joined(separator: " ")),
            ])
    }

    /// Follows the file until the task is cancelled.
    func watchFile() async {
        guard let file = options.file else { return }
        var last: PauseFile.Content?
        while !Task.isCancelled {
            let content = file.read()
            if content != last {
                tell(content, file)
                // What cannot be understood changes nothing: a pause goes on, and none begins.
                if case .paused(let isPaused) = content { state.withLock { $0.fileIsPaused = isPaused } }
                if state.withLock({ $0.fileIsPaused }) { runner.releaseUnstarted() }
                apply()
                last = content
            }
            guard (try? await loop.sleep(for: Self.fileInterval)) != nil else { return }
        }
    }

    private func tell(_ content: PauseFile.Content, _ file: PauseFile) {
        switch content {
        case .paused(true): logger.info("paused by a file", ["file": .string(file.path)])
        case .paused(false): logger.debug("the control file pauses nothing", ["file": .string(file.path)])
        case .invalid(let problem):
            logger.warning(
                "the control file changes nothing", ["file": .string(file.path), "error": .string(problem)])
        }
    }

    private func apply() {
        leaseLoop.setPaused(state.withLock { $0.allIsPaused || $0.fileIsPaused })
    }
}

/// The scopes that are paused, as a worker asks them of a job.
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
