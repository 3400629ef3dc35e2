internal import Configuration
internal import EventLoop
internal import JSON
internal import Jobs
internal import Service

/// The settings of a worker.
struct WorkerSettings: Sendable {
    /// How the worker follows what is paused.
    struct Pauses: Sendable {
        /// False: it neither reads the pause state nor acknowledges it.
        let isFollowed: Bool
        let pollInterval: Duration
        /// Whether changes are notified, or found by polling alone.
        let listens: Bool
        /// May pause this worker alone; nil: there is none.
        let file: PauseFile?
    }

    let log: LogSettings
    let sessions: SessionSettings
    let name: String?
    let queues: [String]?
    let concurrency: Int
    let batchSize: Int
    let batchMax: Int
    /// Of the payloads and results in memory.
    let payloadMemoryBytes: Int
    let pollInterval: Duration
    let leaseDuration: Duration
    let shutdownGrace: Duration
    let pauses: Pauses
    let handlers: HandlerSource
    let statusFile: StatusFile?
    /// The path of the file of `InstanceLock`; nil: there is none.
    let lockFile: String?
    /// nil: the worker is no member of a pool.
    let pool: PoolSettings?

    /// A member of a pool runs jobs only if WORKER_QUEUES is set.
    var runsJobs: Bool { pool == nil || queues != nil }

    init(reading reader: inout SettingsReader, environment: ProcessEnvironment, on loop: Loop) {
        name = reader.optionalString("WORKER_NAME", help: "A name for people; default: the host name.")
        let names = reader.list(
            "WORKER_QUEUES",
            help: "Names of the queues to lease from; default: all, but none for a member of a pool.",
            accepts: "names of A-Z a-z 0-9 . _ : / -, separated by commas", whereEach: TextRule.name.accepts)
        queues = names.isEmpty ? nil : names
        concurrency = reader.integer(
            "WORKER_CONCURRENCY", default: 10, in: 1...10_000, help: "Number of jobs that run at once.")
        batchSize = reader.integer(
            "WORKER_BATCH_SIZE", default: 10, in: 1...1_000, help: "Number of jobs that a poll leases at first.")
        batchMax = reader.integer(
            "WORKER_BATCH_MAX", default: 1_000, in: 1...1_000,
            help: "Maximum number of jobs that a poll leases, while full batches come back and jobs are short.")
        payloadMemoryBytes = reader.integer(
            "WORKER_PAYLOAD_MEMORY_BYTES", default: 64 * 1_048_576, in: 1_048_576...68_719_476_736,
            help: "Bytes of payloads and results held in memory; beyond, jobs wait and none is leased.")
        pollInterval = reader.seconds(
            "WORKER_POLL_INTERVAL_SECONDS", default: .seconds(1), in: .milliseconds(10)...(.seconds(3_600)),
            help: "Pause between two polls of empty queues without a notification; varied by 20 %.")
        leaseDuration = reader.seconds(
            "WORKER_LEASE_DURATION_SECONDS", default: .seconds(300), in: .seconds(1)...(.seconds(86_400)),
            help: "Lease duration: a job whose lease is not renewed for that long is reclaimed; renewed at a third.")
        shutdownGrace = reader.seconds(
            "WORKER_SHUTDOWN_GRACE_SECONDS", default: .seconds(55), in: .zero...(.seconds(86_400)),
            help: "Time for running jobs to end after SIGTERM; below the pod's terminationGracePeriodSeconds.")
        pauses = Pauses(
            isFollowed: reader.boolean(
                "ENABLE_DISTRIBUTED_CONTROL", default: true,
                help: "Whether the worker reads the pause state and acknowledges it. Paused jobs are never leased,"
                    + " either way."),
            pollInterval: reader.seconds(
                "CONTROL_POLLING_INTERVAL", default: .seconds(10), in: .milliseconds(100)...(.seconds(3_600)),
                help: "Pause between two polls of the pause state without a notification."),
            listens: reader.boolean(
                "ENABLE_CHANGE_STREAMS", default: true,
                help: "Whether changes of the pause state are notified by LISTEN and NOTIFY."),
            file: reader.optionalString(
                "CONTROL_FILE",
                help: "A file, read every 2 s, that can pause this worker: the word paused, or {\"paused\": true}."
            ).map(PauseFile.init(path:)))
        handlers = HandlerSource(reading: &reader, environment: environment, on: loop)
        pool = PoolSettings(reading: &reader, host: Host.name)
        // A path that cannot be read is a problem already.
        let hasHandlers = handlers.hasFile || reader.problems.contains { $0.setting.hasPrefix("WORKER_HANDLERS_FILE") }
        reader.require(
            pool == nil || hasHandlers, of: "POOL_NAME", "WORKER_HANDLERS_FILE",
            otherwise: "a pool's workloads run by a program of the handlers file, and there is none")
        statusFile = StatusFile(reading: &reader, "WORKER_STATUS_FILE")
        lockFile = reader.optionalString(
            "WORKER_LOCK_FILE",
            help: "A file that this worker keeps locked while it runs. The next worker with the file knows by it that"
                + " this one has ended, and its jobs and workloads run again at once.",
            accepts: "the path of a file in a directory that can be written and outlives the process")
        sessions = SessionSettings(
            reading: &reader, applicationName: "jobqueue-worker",
            poolSize: .init(
                default: 4, in: DatabaseSessions.connectionsMin...100,
                help: "Maximum number of connections for statements; one more listens for notifications."))
        log = LogSettings(reading: &reader)
        reader.require(
            batchSize <= batchMax, of: "WORKER_BATCH_SIZE",
            otherwise: "must not be above WORKER_BATCH_MAX (\(batchMax))")
    }
}
