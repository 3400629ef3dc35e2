public import Values

/// A timer of one loop that can be armed repeatedly. Used on its loop's thread only.
public final class LoopTimer {
    fileprivate(set) var deadline = MonotonicInstant.distantFuture
    /// Index in the heap; nil while the timer is not armed.
    fileprivate var index: Int?
    let body: () -> Void
    private unowned let loop: Loop

    init(loop: Loop, body: @escaping () -> Void) {
        self.loop = loop
        self.body = body
    }

    public var isArmed: Bool { index != nil }

    /// Arms the timer to fire once at `instant`. Replaces an earlier instant.
    public func arm(at instant: MonotonicInstant) {
        loop.preconditionCurrent()
        loop.timers.insert(self, at: instant)
    }

    /// Disarms the timer. No effect if it is not armed.
    public func cancel() {
        loop.preconditionCurrent()
        loop.timers.remove(self)
    }
}

/// A binary heap of timers, ordered by deadline. Each timer stores its index, so that a cancelled timer is removed at
/// once.
struct TimerHeap {
    private var timers: [LoopTimer] = []

    var earliest: MonotonicInstant? { timers.first?.deadline }

    mutating func insert(_ timer: LoopTimer, at deadline: MonotonicInstant) {
        if timer.index != nil { remove(timer) }
        timer.deadline = deadline
        timer.index = timers.count
        timers.append(timer)
        siftUp(timers.count - 1)
    }

    mutating func remove(_ timer: LoopTimer) {
        guard let index = timer.index else { return }
        timer.index = nil
        let last = timers.removeLast()
        guard last !== timer else { return }
        place(last, at: index)
        siftUp(index)
        siftDown(last.index ?? index)
    }

    /// Removes and returns the earliest timer if its deadline is not after `now`.
    mutating func popExpired(at now: MonotonicInstant) -> LoopTimer? {
        guard let first = timers.first, first.deadline <= now else { return nil }
        remove(first)
        return first
    }

    private mutating func place(_ timer: LoopTimer, at index: Int) {
        timers[index] = timer
        timer.index = index
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        let timer = timers[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard timer.deadline < timers[parent].deadline else { break }
            place(timers[parent], at: index)
            index = parent
        }
        place(timer, at: index)
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        let timer = timers[index]
        while true {
            var child = 2 * index + 1
            guard child < timers.count else { break }
            if child + 1 < timers.count, timers[child + 1].deadline < timers[child].deadline { child += 1 }
            guard timers[child].deadline < timer.deadline else { break }
            place(timers[child], at: index)
            index = child
        }
        place(timer, at: index)
    }
}
