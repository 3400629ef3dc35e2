import EventLoop
import Glibc
import TestKit

/// The processes of a run. Used by one task.
struct ChaosProcesses {
    let deployment: Deployment
    let apiPort: UInt16
    let handlersFile: String
    let history: ChaosHistory
    private var current: [ChaosRole: ServiceProcess] = [:]
    private var started: [(role: ChaosRole, process: ServiceProcess)] = []
    private var killed: Set<Int32> = []

    init(_ deployment: Deployment, apiPort: UInt16, handlersFile: String, history: ChaosHistory) {
        self.deployment = deployment
        self.apiPort = apiPort
        self.handlersFile = handlersFile
        self.history = history
    }

    // MARK: Faults

    mutating func start(_ role: ChaosRole) async throws {
        guard current[role] == nil else { return }
        let process =
            switch role.kind {
            case .api:
                try await deployment.services.startApi(deployment.database.url, ["API_PORT": "\(apiPort)"]).service
            case .worker:
                try await deployment.startWorker(
                    "\(role)",
                    [
                        "WORKER_HANDLERS_FILE": handlersFile, "WORKER_CONCURRENCY": "4",
                        "WORKER_LEASE_DURATION_SECONDS": "\(ChaosPlan.lease.components.seconds)",
                    ], waiting: false)
            case .reaper: try await deployment.startReaper()
            }
        current[role] = process
        started.append((role, process))
        history.add("\(role) starts as \(process.pid)")
    }

    mutating func kill(_ role: ChaosRole) async throws {
        guard let process = current.removeValue(forKey: role) else { return }
        history.add("\(role) (\(process.pid)) is killed")
        killed.insert(process.pid)
        process.signal(SIGKILL)
        // Its port must be free before its successor starts.
        try await process.waitForExit()
    }

    func signal(_ role: ChaosRole, _ number: Int32, _ what: String) {
        guard let process = current[role] else { return }
        history.add("\(role) (\(process.pid)) is \(what)")
        process.signal(number)
    }

    // MARK: End of a run

    /// Processes that have ended without being killed.
    var deserters: [String] {
        started.compactMap { role, process in
            guard let exit = process.exited, !killed.contains(process.pid) else { return nil }
            return "\(role) (\(process.pid)) has ended by itself with \(exit):"
                + process.lines.suffix(5).map { "\n    \($0)" }.joined()
        }
    }

    /// Stops all processes with SIGTERM.
    /// - Returns: those that did not exit with 0.
    mutating func stop() async -> [String] {
        var complaints: [String] = []
        for process in current.values { process.signal(SIGTERM) }
        for (role, process) in current {
            do {
                let exit = try await process.waitForExit(within: .seconds(30))
                if exit != .code(0) { complaints.append("\(role), asked to stop, ended with \(exit)") }
            } catch {
                complaints.append("\(role), asked to stop: \(error)")
            }
            killed.insert(process.pid)
        }
        current = [:]
        return complaints
    }

    /// The last log lines of every running process, for the analysis of a failure.
    func tellLastLines() {
        for (role, process) in current {
            history.add("\(role) (\(process.pid)) wrote:" + process.lines.suffix(8).map { "\n    \($0)" }.joined())
        }
    }
}
