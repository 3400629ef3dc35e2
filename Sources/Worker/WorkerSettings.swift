internal import Configuration
internal import EventLoop
internal import Jobs
internal import Telemetry
internal import Workers

/// What the environment says to a worker.
struct WorkerSettings: Sendable {
    let name: String?
    let queues: [String]?
    let concurrency: Int
    let batchSize: Int
    let batchMax: Int
    let pollInterval: Duration
    let leaseDuration: Duration
    let shutdownGrace: Duration
    let control: PauseWatcher.Options
    /// Whether changes of control are told by NOTIFY, or found by polling alone.
    let listensForPauses: Bool
    let handlers: HandlerSource
    /// nil: nobody probes this process.
    let statusFile: StatusFile?
    /// nil: the worker is no member of a pool.
    let pool: PoolSettings?
    let database: DatabaseAccess
    let schema: String
    let poolSize: Int
    let logLevel: LogLevel
    let logFormat: LogFormatChoice

    /// A member of a pool runs jobs besides only if it is told of which queues.
    var runsJobs: Bool { pool == nil || queues != nil }

    enum LogFormatChoice: String, CaseIterable, Sendable {
        case json, console
    }

    init(reading reader: inout SettingsReader, environment: ProcessEnvironment, on loop: Loop) {
        name = reader.optionalString("WORKER_NAME", help: "What people call this worker; the host's name by default.")
        let names = reader.list(
            "WORKER_QUEUES",
            help: "The queues to take jobs from, by name; all by default, but none for a member of a pool.",
            accepts: "names of A-Z a-z 0-9 . _ : / -, separated by commas", whereEach: JobLimits.isName)
        queues = names.isEmpty ? nil : names
        concurrency = reader.integer(
            "WORKER_CONCURRENCY", default: 10, in: 1...10_000, help: "How many jobs run at once.")
        batchSize = reader.integer(
            "WORKER_BATCH_SIZE", default: 10, in: 1...1_000, help: "How many jobs a poll asks for at first.")
        batchMax = reader.integer(
            "WORKER_BATCH_MAX", default: 1_000, in: 1...1_000,
            help: "How many it asks for at most, while full batches come back and jobs prove short.")
        pollInterval = reader.seconds(
            "WORKER_POLL_INTERVAL_SECONDS", default: .seconds(1), in: .milliseconds(10)...(.seconds(3_600)),
            help: "Between two looks at empty queues, if no notification comes; varied by 20 %.")
        leaseDuration = reader.seconds(
            "WORKER_LEASE_DURATION_SECONDS", default: .seconds(300), in: .seconds(1)...(.seconds(86_400)),
            help: "How long a job stays with a worker that is not heard of; renewed at a third.")
        shutdownGrace = reader.seconds(
            "WORKER_SHUTDOWN_GRACE_SECONDS", default: .seconds(55), in: .zero...(.seconds(86_400)),
            help: "How long running jobs may go on after SIGTERM; below the pod's terminationGracePeriodSeconds.")
        control = PauseWatcher.Options(
            isEnabled: reader.boolean(
                "ENABLE_DISTRIBUTED_CONTROL", default: true,
                help: "Whether the worker learns what is paused and says that it has obeyed. No lease of what is"
                    + " paused is ever given, either way."),
            pollInterval: reader.seconds(
                "CONTROL_POLLING_INTERVAL", default: .seconds(10), in: .milliseconds(100)...(.seconds(3_600)),
                help: "Between two looks at what is paused, if no notification comes."),
            file: reader.optionalString(
                "CONTROL_FILE",
                help: "A file, read every 2 s, that can pause this worker: the word paused, or {\"paused\": true}."
            ).map(PauseFile.init(path:)))
        listensForPauses = reader.boolean(
            "ENABLE_CHANGE_STREAMS", default: true, help: "Whether changes of control are told by LISTEN and NOTIFY.")
        handlers = HandlerSource(reading: &reader, environment: environment, on: loop)
        pool = PoolSettings(reading: &reader, host: Host.name)
        // A path that cannot be read is a problem already.
        let hasHandlers = handlers.hasFile || reader.problems.contains { $0.setting.hasPrefix("WORKER_HANDLERS_FILE") }
        reader.require(
            pool == nil || hasHandlers, of: "POOL_NAME", "WORKER_HANDLERS_FILE",
            otherwise: "a pool's workloads run by a program of the handlers file, and there is none")
        statusFile = StatusFile(reading: &reader, "WORKER_STATUS_FILE")
        database = DatabaseAccess(reading: &reader)
        schema = reader.databaseSchema()
        poolSize = reader.integer(
            "DATABASE_POOL_SIZE", default: 4, in: 3...100,
            help: "Connections for statements; one more listens for notifications.")
        logLevel = reader.enumeration("LOG_LEVEL", default: LogLevel.info, help: "What is logged.")
        logFormat = reader.enumeration(
            "LOG_FORMAT", default: LogFormatChoice.json, help: "json: an object a line; console: for people.")
        reader.require(
            batchSize <= batchMax, of: "WORKER_BATCH_SIZE",
            otherwise: "must not be above WORKER_BATCH_MAX (\(batchMax))")
    }
}
