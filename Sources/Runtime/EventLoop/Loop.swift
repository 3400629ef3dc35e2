internal import CLinux
internal import Glibc
internal import Synchronization
public import Values

/// One epoll loop on one thread, and the executor of the tasks that are spawned on it.
///
/// A turn of the loop runs the tasks that are ready, waits for descriptors (not at all while tasks are ready),
/// calls back the watches whose descriptors changed, and fires timers. Everything that belongs to a loop
/// (watches, timers, sockets, database connections) is touched on its thread only; the ways in from another
/// thread are `execute`, `spawn`, `stop`, and resuming a continuation of a task that runs here, and all of them
/// go through the inbox.
///
/// Why `@unchecked Sendable`: the unprotected members are confined to the loop's thread, which
/// `preconditionCurrent` checks at each submitter.
public final class Loop: TaskExecutor, @unchecked Sendable {
    /// What other threads have handed in. `wakeupSent` saves a system call for each but the first.
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
    /// The `pthread_t` that is inside `run()`; 0 before.
    private let thread = Atomic<UInt>(0)

    // Confined to the loop's thread.
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []
    private var watches: [Int32: Watch] = [:]
    private var generation: UInt32 = 0
    private var stopped = false
    var timers = TimerHeap()
    /// Where reads land before they are appended to the caller's array.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
    /// The instant at which this turn began to handle events.
    public private(set) var now = MonotonicInstant.now()

    private static let wakeupToken = UInt64.max
    private static let eventsMax = 256

    public init(label: String) throws(SystemError) {
        // A write to a closed pipe or socket is an error to report, not a reason to die.
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

    /// Makes a loop and runs it on a thread of its own until `stop`.
    public static func start(label: String) throws(SystemError) -> Loop {
        let loop = try Loop(label: label)
        Thread.start(label: label) { loop.run() }
        return loop
    }

    // MARK: From any thread

    public var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    /// Traps unless called on the loop's thread, or before the loop runs (a loop is built up before it starts).
    public func preconditionCurrent() {
        let owner = thread.load(ordering: .relaxed)
        precondition(owner == UInt(pthread_self()) || owner == 0, "\(label): called from another thread")
    }

    /// Runs `work` on the loop, in the order of the calls of one thread.
    public func execute(_ work: @escaping @Sendable () -> Void) {
        handIn { $0.work.append(work) }
    }

    /// A task that runs on this loop, as do all non-isolated async functions that it calls.
    @discardableResult
    public func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: self, operation: body)
    }

    /// `run` returns after the turn that is under way. Tasks that still wait are never resumed.
    public func stop() {
        handIn { $0.stopping = true }
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ready.append(job)
        } else {
            handIn { $0.jobs.append(job) }
        }
    }

    private func handIn(_ change: (inout sending Inbox) -> Void) {
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
        precondition(thread.load(ordering: .relaxed) == 0, "\(label): runs already")
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        defer { thread.store(0, ordering: .relaxed) }
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsMax) { events in
            while !stopped {
                runReadyJobs()
                poll(events)
                fireTimers()
            }
        }
    }

    /// Runs what was ready when the turn began; what becomes ready meanwhile waits for the next turn, so that
    /// tasks which wake each other cannot starve the descriptors.
    private func runReadyJobs() {
        swap(&ready, &running)
        let executor = asUnownedTaskExecutor()
        for job in running {
            job.runSynchronously(on: executor)
        }
        running.removeAll(keepingCapacity: true)
    }

    private func poll(_ events: UnsafeMutableBufferPointer<epoll_event>) {
        let count = Syscall.epollWait(epoll, events, timeoutMilliseconds: timeoutMilliseconds())
        now = .now()
        for event in events[..<count] {
            let token = event.data.u64
            guard token != Self.wakeupToken else {
                takeInbox()
                continue
            }
            // A watch that was cancelled in this turn, its descriptor perhaps reused, has another generation.
            let descriptor = Int32(truncatingIfNeeded: token)
            if let watch = watches[descriptor], watch.generation == UInt32(truncatingIfNeeded: token >> 32) {
                watch.onReady(Readiness(epollEvents: event.events))
            }
        }
    }

    private func timeoutMilliseconds() -> Int32 {
        guard ready.isEmpty else { return 0 }
        guard let earliest = timers.earliest else { return -1 }
        let nanoseconds = earliest.nanoseconds - MonotonicInstant.now().nanoseconds
        guard nanoseconds > 0 else { return 0 }
        // Rounded up: a timer may be late, never early.
        return Int32(min((nanoseconds + 999_999) / 1_000_000, 60_000))
    }

    private func takeInbox() {
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

    /// A timer that is not armed yet.
    public func timer(_ body: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, body: body)
    }

    /// A timer that fires once at `instant`.
    @discardableResult
    public func schedule(at instant: MonotonicInstant, _ body: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(loop: self, body: body)
        timer.arm(at: instant)
        return timer
    }

    /// Calls `onReady` on the loop whenever `descriptor` is in a state of `interest`, or has failed.
    /// Level-triggered: it is called each turn until the state has gone. The descriptor stays the caller's, who
    /// cancels the watch before closing it.
    public func watch(
        _ descriptor: Int32, _ interest: Readiness, _ onReady: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Watch {
        try addWatch(descriptor, events: interest.epollEvents, onReady)
    }

    /// Calls `onReady` each time that `descriptor` *becomes* readable, writable, or closed by the peer.
    func watchEdges(_ descriptor: Int32, _ onReady: @escaping (Readiness) -> Void) throws(SystemError) -> Watch {
        let everything = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        return try addWatch(descriptor, events: everything, onReady)
    }

    private func addWatch(
        _ descriptor: Int32, events: UInt32, _ onReady: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Watch {
        preconditionCurrent()
        generation &+= 1
        // Never the wake-up's token, whose lower half no descriptor can have.
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

/// The interest of a loop in one descriptor. Used on its loop's thread only.
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

    /// Changes what a level-triggered watch waits for.
    public func setInterest(_ interest: Readiness) {
        loop.change(self, to: interest)
    }

    /// After it nothing is called back any more. Idempotent.
    public func cancel() {
        loop.remove(self)
    }
}

/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// The peer has closed its end, or the descriptor failed. Reported whether asked for or not.
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
