internal import Configuration
internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import Values

/// What the process is doing now. The service group and the waits of its start set it; the status file shows it.
public final class ProcessStatus: Sendable {
    private let current = Mutex(ProcessState.waiting("starting"))
    /// Why a process that has started cannot work now; nil when it can.
    private let obstacle = Mutex<@Sendable () -> String?>({ nil })

    init() {}

    /// Sets the condition of readiness: `obstacle` says why the process cannot work now; nil when it can.
    public func needs(_ obstacle: @escaping @Sendable () -> String?) {
        self.obstacle.withLock { $0 = obstacle }
    }

    func became(_ state: ProcessState) {
        current.withLock { $0 = state }
    }

    var state: ProcessState {
        let state = current.withLock { $0 }
        guard state == .working, let reason = obstacle.withLock({ $0 })() else { return state }
        return .waiting(reason)
    }
}

extension ProcessContext {
    /// The service that writes the status file; none when there is no file. It comes first in the list, so that the
    /// file is written until everything else has stopped.
    public func statusFile(_ file: StatusFile?) -> [any ProcessService] {
        guard let file else { return [] }
        let task = StatusWriter(file: file, status: status)
        return [PeriodicService(task, every: StatusFile.interval, in: self, whileDraining: true)]
    }
}

private struct StatusWriter: PeriodicTask {
    let name = "write status"
    let failureMessage = "the status file cannot be written"
    let file: StatusFile
    let status: ProcessStatus

    func runOnce() async throws(SmallFileError) -> NoReport {
        try file.write(status.state, at: .now())
        return NoReport()
    }
}
