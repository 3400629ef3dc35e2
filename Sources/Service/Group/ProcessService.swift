internal import EventLoop
internal import Synchronization
internal import Telemetry
public import Values

/// One part of a process: a server, a loop that leases jobs, a set of database connections. A process is an ordered
/// list of them, which a `ServiceGroup` starts and stops.
///
/// All functions are called on the process's loop. A service is started at most once.
public protocol ProcessService: AnyObject, Sendable {
    /// For log lines: "lease loop".
    var name: String { get }

    /// Starts the service. Returns when the next one may start; may wait for a condition until its task is cancelled.
    /// What it throws ends the process with exit status 1.
    func start() async throws

    /// The drain begins: take no new work. Called once for each started service, in reverse order. Must not wait.
    /// - Parameter graceEnd: when work under way should be cut short.
    func drain(until graceEnd: MonotonicInstant)

    /// A second signal has moved the end of the grace to this instant. Called for each service that has not stopped.
    func hurry(until graceEnd: MonotonicInstant)

    /// Stops the service. Returns when nothing of it runs any more. Called in reverse order, one after the other. At
    /// the deadline of the drain the task is cancelled: return soon, and leave behind what has not ended.
    func stop() async
}

extension ProcessService {
    public func start() async throws {}
    public func drain(until graceEnd: MonotonicInstant) {}
    public func hurry(until graceEnd: MonotonicInstant) {}
}

/// A Swift task whose end can be waited for by a caller that may be cancelled. Used on its loop.
final class BackgroundTask: Sendable {
    private let loop: Loop
    private let ended: WakeSignal
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(on loop: Loop) {
        self.loop = loop
        ended = WakeSignal(on: loop)
    }

    func start(_ body: @escaping @Sendable () async -> Void) {
        let ended = ended
        let task = loop.spawn {
            await body()
            ended.wake()
        }
        self.task.withLock { $0 = task }
    }

    func cancel() {
        task.withLock { $0 }?.cancel()
    }

    /// Returns when the body has ended, or the calling task is cancelled; at once if it was never started.
    func end() async {
        guard task.withLock({ $0 }) != nil else { return }
        await ended.waitUnlessCancelled()
    }
}

/// A service that runs an async function until that returns.
public final class TaskService: ProcessService {
    public let name: String
    private let body: @Sendable () async -> Void
    private let onDrain: @Sendable () -> Void
    private let background: BackgroundTask

    /// - Parameters:
    ///   - drain: makes `run` return soon.
    ///   - run: the service.
    public init(
        _ name: String, in process: ProcessContext, drain: @escaping @Sendable () -> Void,
        run: @escaping @Sendable () async -> Void
    ) {
        self.name = name
        body = run
        onDrain = drain
        background = BackgroundTask(on: process.loop)
    }

    public func start() async {
        background.start(body)
    }

    public func drain(until graceEnd: MonotonicInstant) {
        onDrain()
    }

    public func stop() async {
        await background.end()
    }
}

/// A command as a service: the process ends when its function returns, with the exit status that it returns.
public final class OneShot: ProcessService {
    public let name: String
    private let process: ProcessContext
    private let body: @Sendable () async throws -> Int32
    private let background: BackgroundTask
    private let isDone = Atomic(false)

    public init(_ name: String, in process: ProcessContext, _ body: @escaping @Sendable () async throws -> Int32) {
        self.name = name
        self.process = process
        self.body = body
        background = BackgroundTask(on: process.loop)
    }

    public func start() async {
        background.start { [self] in
            let status = await result()
            isDone.store(true, ordering: .relaxed)
            process.end(status)
        }
    }

    private func result() async -> Int32 {
        do {
            return try await body()
        } catch {
            // The error of an interrupted command says nothing new.
            if !Task.isCancelled { process.logger.error("\(error)") }
            return ExitStatus.failure
        }
    }

    public func drain(until graceEnd: MonotonicInstant) {
        guard !isDone.load(ordering: .relaxed) else { return }
        process.logger.error("interrupted")
        background.cancel()
    }

    public func stop() async {
        await background.end()
    }
}
