internal import Configuration
internal import EventLoop
internal import Telemetry
internal import Values

/// The wait for files of settings at the start of a process: secrets that are created after the pod, or rendered by a
/// sidecar. It says so in the log and in the status file, so that probes let the process live.
struct FileWait {
    private let environment: ProcessEnvironment
    private let component: String
    private let signals: [Int32]
    private var log: (logger: Logger, queue: QueuedLog)?
    private var logged: [String] = []

    /// - Parameter signals: which end the wait.
    init(_ environment: ProcessEnvironment, component: String, endedBy signals: [Int32]) {
        self.environment = environment
        self.component = component
        self.signals = signals
    }

    /// Waits for a second.
    /// - Returns: whether a signal has ended the wait.
    mutating func oneSecond(for files: [String]) throws(QueuedLogError) -> Bool {
        let log: (logger: Logger, queue: QueuedLog)
        if let open = self.log { log = open } else { log = try openLog() }
        self.log = log
        let names = files.joined(separator: ", ")
        if files != logged { log.logger.warning("waiting for files of settings", ["files": .string(names)]) }
        logged = files
        // A pod may have the variables of all programs.
        if let path = environment.values["\(component.uppercased())_STATUS_FILE"], !path.isEmpty {
            // A probe says what is wrong with that file; the process waits all the same.
            try? StatusFile(path: path).write(.waiting("files do not exist yet: \(names)"), at: .now())
        }
        guard Signals.wait(for: signals, atMost: .seconds(1)) != nil else { return false }
        log.queue.flush(within: .seconds(2))
        return true
    }

    private func openLog() throws(QueuedLogError) -> (logger: Logger, queue: QueuedLog) {
        var reader = SettingsReader(environment: environment)
        let settings = LogSettings(reading: &reader)
        let queue = try QueuedLog(format: settings.format)
        return (Logger(component: component, level: settings.level, sink: queue), queue)
    }
}
