internal import EventLoop

/// Decides how many jobs to ask for next: pure, by the worker's own measure of how long its jobs take.
///
/// Two wishes pull against each other. A queue of tiny jobs wants large batches, leased while the former ones still
/// run: each statement costs the same whether it takes one job or a thousand. A queue of long jobs wants none leased
/// that cannot start at once: another worker may be idle. So jobs are leased ahead of free slots only as far as
/// they will start within `lookahead`, and a batch grows only while full ones come back.
struct LeasePlan {
    /// A leased job that waits for a slot must start within this time.
    static let lookahead = 0.1
    /// How much of the running average each further job replaces, per slot that it could have used.
    private static let smoothing = 0.1

    let concurrency: Int
    let batchSize: Int
    let batchMax: Int

    /// How many a statement asks for at most, at present.
    private(set) var batch: Int
    /// Jobs leased that have not got a slot.
    private(set) var waiting = 0
    /// Jobs that hold a slot.
    private(set) var running = 0
    /// Moving average of how long a job holds its slot, in seconds; nil before the first has ended.
    private(set) var averageSeconds: Double?

    /// 1 <= `batchSize` <= `batchMax`, `concurrency` >= 1.
    init(concurrency: Int, batchSize: Int, batchMax: Int) {
        self.concurrency = concurrency
        self.batchSize = batchSize
        self.batchMax = max(batchSize, batchMax)
        batch = batchSize
    }

    var hasFreeSlot: Bool { running < concurrency }

    /// How many jobs beyond the free slots would start within `lookahead`.
    private var ahead: Int {
        guard let averageSeconds else { return 0 }
        let perSecond = Double(concurrency) / max(averageSeconds, 1e-6)
        return min(batchMax, Int(perSecond * Self.lookahead))
    }

    /// How many jobs to ask for now; 0: none before a job has ended.
    var wanted: Int {
        min(batch, concurrency + ahead - running - waiting).clamped(to: 0...batchMax)
    }

    /// A lease statement that asked for `asked` has given `count` jobs.
    mutating func leased(_ count: Int, of asked: Int) {
        waiting += count
        if count < asked {
            batch = batchSize
        } else if asked == batch {
            batch = min(batch * 2, batchMax)
        }
    }

    /// A waiting job gets a slot.
    mutating func started() {
        precondition(waiting > 0 && hasFreeSlot, "a job was started that waited for no slot")
        waiting -= 1
        running += 1
    }

    /// A waiting job was given back without being started.
    mutating func returned(_ count: Int = 1) {
        waiting -= count
    }

    /// A job has left its slot after `seconds`.
    mutating func ended(afterSeconds seconds: Double) {
        running -= 1
        guard let average = averageSeconds else {
            averageSeconds = seconds
            return
        }
        averageSeconds = average + Self.smoothing * (seconds - average)
    }
}

extension Int {
    func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
