internal import CLinux
internal import Glibc
internal import Synchronization
public import Values

/// An epoll event loop on one thread, and the executor of the tasks that are spawned on it.
///
/// Each turn has three steps: run the jobs that are ready; wait for descriptors, without blocking if jobs are ready,
/// and call back the watches of those that changed; fire the expired timers. Jobs that become ready during a turn run
/// in the next one, so that tasks which wake each other cannot starve descriptors and timers.
///
/// States: created, running (`run` has been called), stopped (`run` has returned; final). A loop is built up before it
/// runs, from any one thread. From then on its watches, timers, sockets and database connections are used on its thread
/// only. Other threads enter through `execute`, `spawn`, `stop`, or by resuming a continuation of one of its tasks; all
/// of these go through the inbox, and an eventfd wakes the loop.
///
/// Timers use the monotonic clock. `now` is the time at which the current turn began to handle events; it is cheap, and
/// late by the duration of the turn. A timer may fire late, never early.
///
/// Failures: a job or callback that blocks delays everything on the loop. Use from a wrong thread traps
/// (`preconditionCurrent`). When the loop stops, its waiting tasks are never resumed.
///
/// `@unchecked Sendable`, because the unprotected members are confined to the loop's thread.
public final class Loop: TaskExecutor, @unchecked Sendable {
    /// Submissions of other threads. `wakeupSent` saves the system call for all but the first of a turn.
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var work: [@Sendable () -> Void] = []
        var wakeupSent = false
        var stopping = false
    }

    public let label: String
    private let epoll: Int32
    private let wakeup: Int32
    private let inbox = Mutex(Inbox())
    /// The `pthread_t` that executes `run()`; 0 otherwise.
    private let thread = Atomic<UInt>(0)

    // Confined to the loop's thread.
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []
    private var watches: [Int32: Watch] = [:]
    private var generation: UInt32 = 0
    private var stopped = false
    var timers = TimerHeap()
    /// Buffer of 64 KiB for reads, shared by all streams of the loop.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
    /// The time at which the current turn began to handle events.
    public private(set) var now = MonotonicInstant.now()

    /// The longest turns, readable from any thread.
    private let turns = LongestTurn()

    private static let wakeupToken = UInt64.max
    private static let eventsMax = 256

    /// Creates a loop that does not run yet.
    /// - Parameter label: name of the thread, truncated to 15 bytes.
    public init(label: String) throws(SystemError) {
        // A write to a closed pipe or socket returns EPIPE instead of terminating the process.
        signal(SIGPIPE, SIG_IGN)
        self.label = label
        epoll = try Syscall.epollCreate()
        do throws(SystemError) {
            wakeup = try Syscall.eventDescriptor()
        } catch {
            Syscall.close(epoll)
            throw error
        }
        try Syscall.epollAdd(epoll, wakeup, events: EPOLLIN.rawValue, token: Self.wakeupToken)
    }

    deinit {
        Syscall.close(wakeup)
        Syscall.close(epoll)
        scratch.deallocate()
    }

    /// Creates a loop and runs it on a new thread until `stop`.
    public static func start(label: String) throws(SystemError) -> Loop {
        let loop = try Loop(label: label)
        Thread.start(label: label) { loop.run() }
        return loop
    }

    // MARK: From any thread

    /// Whether the calling thread runs this loop.
    public var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    /// The longest time that the loop has worked without waiting for descriptors, in the last one to two minutes: as
    /// long an event had to wait for it.
    public var longestTurn: Duration { turns.longest(at: .now()) }

    /// Traps unless called on the loop's thread, or before the loop runs.
    public func preconditionCurrent() {
        let owner = thread.load(ordering: .relaxed)
        precondition(owner == UInt(pthread_self()) || owner == 0, "\(label): called from another thread")
    }

    /// Runs `work` on the loop. Calls from one thread run in their order.
    public func execute(_ work: @escaping @Sendable () -> Void) {
        submit { $0.work.append(work) }
    }

    /// Starts a task on this loop. The nonisolated async functions that it calls run on the loop too.
    @discardableResult
    public func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: self, operation: body)
    }

    /// Makes `run` return after the current turn. Waiting tasks are never resumed.
    public func stop() {
        submit { $0.stopping = true }
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ready.append(job)
        } else {
            submit { $0.jobs.append(job) }
        }
    }

    private func submit(_ change: (inout sending Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            change(&inbox)
            defer { inbox.wakeupSent = true }
            return !inbox.wakeupSent
        }
        if mustWake { Syscall.signalEvent(wakeup) }
    }

    // MARK: The loop itself

    /// Runs the loop on the calling thread until `stop`.
    public func run() {
        precondition(thread.load(ordering: .relaxed) == 0, "\(label): the loop is already running")
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        defer { thread.store(0, ordering: .relaxed) }
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsMax) { events in
            now = .now()
            while !stopped {
                runReadyJobs()
                poll(events)
                fireTimers()
            }
        }
    }

    /// Runs the jobs that were ready when the turn began.
    private func runReadyJobs() {
        swap(&ready, &running)
        let executor = asUnownedTaskExecutor()
        for job in running {
            job.runSynchronously(on: executor)
        }
        running.removeAll(keepingCapacity: true)
    }

    private func poll(_ events: UnsafeMutableBufferPointer<epoll_event>) {
        // `now` is still that of the previous wait: between the two waits the loop did its work.
        let instant = MonotonicInstant.now()
        turns.ended(at: instant, after: instant.nanoseconds - now.nanoseconds)
        let count = Syscall.epollWait(epoll, events, timeoutMilliseconds: timeoutMilliseconds(at: instant))
        now = .now()
        for event in events[..<count] {
            let token = event.data.u64
            guard token != Self.wakeupToken else {
                drainInbox()
                continue
            }
            // The event of a watch that was cancelled in this turn must not reach a new watch of a reused descriptor.
            let descriptor = Int32(truncatingIfNeeded: token)
            if let watch = watches[descriptor], watch.generation == UInt32(truncatingIfNeeded: token >> 32) {
                watch.onReady(Readiness(epollEvents: event.events))
            }
        }
    }

    private func timeoutMilliseconds(at instant: MonotonicInstant) -> Int32 {
        guard ready.isEmpty else { return 0 }
        guard let earliest = timers.earliest else { return -1 }
        let nanoseconds = earliest.nanoseconds - instant.nanoseconds
        guard nanoseconds > 0 else { return 0 }
        // Rounded up, so that no timer fires early.
        return Int32(min((nanoseconds + 999_999) / 1_000_000, 60_000))
    }

    private func drainInbox() {
        Syscall.drainEvent(wakeup)
        var work: [@Sendable () -> Void] = []
        inbox.withLock { inbox in
            inbox.wakeupSent = false
            ready.append(contentsOf: inbox.jobs)
            inbox.jobs.removeAll(keepingCapacity: true)
            swap(&work, &inbox.work)
            stopped = inbox.stopping
        }
        for item in work { item() }
    }

    private func fireTimers() {
        while let timer = timers.popExpired(at: now) {
            timer.body()
        }
    }

    // MARK: On the loop's thread

    /// Creates a timer that is not armed.
    public func timer(_ body: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, body: body)
    }

    /// Creates a timer that calls `body` once at `instant`.
    @discardableResult
    public func schedule(at instant: MonotonicInstant, _ body: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(loop: self, body: body)
        timer.arm(at: instant)
        return timer
    }

    /// Watches a descriptor, level-triggered: calls `onReady` in each turn in which the descriptor is ready for one of
    /// `interest`, closed or failed. The caller keeps the ownership of the descriptor, and must cancel the watch before
    /// closing it.
    public func watch(
        _ descriptor: Int32, _ interest: Readiness, _ onReady: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Watch {
        try addWatch(descriptor, events: interest.epollEvents, onReady)
    }

    /// Watches a descriptor, edge-triggered: calls `onReady` each time it becomes readable, writable or closed by the
    /// peer.
    func watchEdges(_ descriptor: Int32, _ onReady: @escaping (Readiness) -> Void) throws(SystemError) -> Watch {
        let allEdges = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        return try addWatch(descriptor, events: allEdges, onReady)
    }

    private func addWatch(
        _ descriptor: Int32, events: UInt32, _ onReady: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Watch {
        preconditionCurrent()
        generation &+= 1
        // Never equal to `wakeupToken`, whose lower half is not a valid descriptor.
        let token = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        try Syscall.epollAdd(epoll, descriptor, events: events, token: token)
        let watch = Watch(loop: self, descriptor: descriptor, generation: generation, onReady: onReady)
        watches[descriptor] = watch
        return watch
    }

    fileprivate func change(_ watch: Watch, to interest: Readiness) {
        preconditionCurrent()
        let token = UInt64(watch.generation) << 32 | UInt64(UInt32(bitPattern: watch.descriptor))
        Syscall.epollModify(epoll, watch.descriptor, events: interest.epollEvents, token: token)
    }

    fileprivate func remove(_ watch: Watch) {
        preconditionCurrent()
        guard watches[watch.descriptor] === watch else { return }
        watches[watch.descriptor] = nil
        Syscall.epollRemove(epoll, watch.descriptor)
    }
}

/// The registration of one descriptor with a loop. Used on the loop's thread only.
public final class Watch {
    let descriptor: Int32
    let generation: UInt32
    let onReady: (Readiness) -> Void
    private unowned let loop: Loop

    fileprivate init(loop: Loop, descriptor: Int32, generation: UInt32, onReady: @escaping (Readiness) -> Void) {
        self.loop = loop
        self.descriptor = descriptor
        self.generation = generation
        self.onReady = onReady
    }

    /// Changes the conditions for which a level-triggered watch waits.
    public func setInterest(_ interest: Readiness) {
        loop.change(self, to: interest)
    }

    /// Ends the watch: `onReady` is not called again. Idempotent.
    public func cancel() {
        loop.remove(self)
    }
}

/// The operations for which a descriptor is ready.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// The peer has closed its end, or the descriptor has failed. Always reported.
    public static let closed = Readiness(rawValue: 4)

    init(epollEvents: UInt32) {
        var result: Readiness = []
        if epollEvents & EPOLLIN.rawValue != 0 { result.insert(.readable) }
        if epollEvents & EPOLLOUT.rawValue != 0 { result.insert(.writable) }
        if epollEvents & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            result.insert(.closed)
        }
        self = result
    }

    var epollEvents: UInt32 {
        var events: UInt32 = 0
        if contains(.readable) { events |= EPOLLIN.rawValue }
        if contains(.writable) { events |= EPOLLOUT.rawValue }
        return events
    }
}
