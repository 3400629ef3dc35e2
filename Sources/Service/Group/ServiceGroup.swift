internal import EventLoop
internal import Synchronization
internal import Telemetry
internal import Values

/// Starts the services of a process in order, waits, and stops them in reverse: performs what `GroupState` decides.
/// Everything happens on the process's loop.
final class ServiceGroup: Sendable {
    private struct State {
        var group: GroupState
        /// The start or stop under way.
        var task: Task<Void, Never>?
        /// From now on every task is cancelled.
        var isCut = false
        var completion: CheckedContinuation<Int32, Never>?
    }

    private let services: [any ProcessService]
    private let process: ProcessContext
    /// Logged when all services have started; nil for commands.
    private let announcement: String?
    private let state: Mutex<State>

    init(
        _ services: [any ProcessService], _ limits: DrainLimits, interruptedStatus: Int32 = ExitStatus.success,
        announcement: String? = nil, in process: ProcessContext
    ) {
        self.services = services
        self.process = process
        self.announcement = announcement
        state = Mutex(
            State(
                group: GroupState(count: services.count, limits: limits, interruptedStatus: interruptedStatus)))
        process.onEnd { [weak self] status in self?.advance { $0.finished(status: status, at: .now()) } }
    }

    /// Starts the services, and returns the exit status when they have stopped.
    func run() async -> Int32 {
        await withCheckedContinuation { continuation in
            state.withLock { $0.completion = continuation }
            advance { $0.begin() }
        }
    }

    /// SIGTERM or SIGINT has come. Call it on the loop.
    func signalled() {
        advance { $0.signalled(at: .now()) }
    }

    private func advance(_ event: (inout GroupState) -> [GroupState.Action]) {
        for action in state.withLock({ event(&$0.group) }) { perform(action) }
    }

    private func perform(_ action: GroupState.Action) {
        switch action {
        case .start(let index): start(services[index])
        case .announce: announce()
        case .cancelStart: state.withLock { $0.task }?.cancel()
        case .drain(let range, let graceEnd): drain(services[range], until: graceEnd)
        case .hurry(let range, let graceEnd): hurry(services[range], until: graceEnd)
        case .wakeAt(let instant):
            process.loop.schedule(at: instant) { self.advance { $0.deadlinePassed(at: .now()) } }
        case .stop(let index): stop(services[index])
        case .cancelStops: cut()
        case .end(let status): end(status)
        }
    }

    // MARK: Actions

    private func start(_ service: any ProcessService) {
        run { [self] in
            let error = await startError(service)
            // A start that was cancelled has not failed.
            if let error, !Task.isCancelled {
                process.logger.error("cannot start", ["service": .string(service.name), "error": .error(error)])
            }
            advance { $0.startEnded(succeeded: error == nil, at: .now()) }
        }
    }

    private func startError(_ service: any ProcessService) async -> (any Error)? {
        do {
            try await service.start()
            return nil
        } catch {
            return error
        }
    }

    private func announce() {
        guard let announcement else { return }
        process.status.became(.working)
        process.logger.info(announcement, ["version": .string(ProductVersion.text)])
    }

    private func drain(_ started: ArraySlice<any ProcessService>, until graceEnd: MonotonicInstant) {
        if process.status.state != .stopping, announcement != nil {
            process.status.became(.stopping)
            process.logger.info("stopping")
        }
        for service in started.reversed() { service.drain(until: graceEnd) }
    }

    private func hurry(_ left: ArraySlice<any ProcessService>, until graceEnd: MonotonicInstant) {
        process.logger.info("a second signal shortens the remaining drain")
        for service in left.reversed() { service.hurry(until: graceEnd) }
    }

    private func stop(_ service: any ProcessService) {
        run { [self] in
            await service.stop()
            advance { $0.stopEnded() }
        }
    }

    private func run(_ body: @escaping @Sendable () async -> Void) {
        let task = process.loop.spawn(body)
        let isCut = state.withLock { state in
            state.task = task
            return state.isCut
        }
        if isCut { task.cancel() }
    }

    private func cut() {
        let (task, phase) = state.withLock { state in
            state.isCut = true
            return (state.task, state.group.phase)
        }
        if announcement != nil {
            process.logger.warning("the deadline of the drain has passed", ["service": .string(name(phase))])
        }
        task?.cancel()
    }

    /// The service that the group waits for.
    private func name(_ phase: GroupState.Phase) -> String {
        switch phase {
        case .starting(let index), .abandoning(let index), .stopping(let index): services[index].name
        case .idle, .running, .stopped: ""
        }
    }

    private func end(_ status: Int32) {
        if announcement != nil { process.logger.info("stopped") }
        let completion = state.withLock { state in
            defer { state.completion = nil }
            return state.completion
        }
        completion?.resume(returning: status)
    }
}
