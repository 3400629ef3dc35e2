internal import EventLoop

/// The number of jobs to lease next, from the measured run time of this worker's jobs. Pure.
///
/// Two goals conflict. A queue of short jobs needs large batches, leased while the previous ones still run, because a
/// statement costs the same for one job as for a thousand. Of a queue of long jobs, a worker must lease only those that
/// can start at once, because another worker may be idle. So jobs are leased ahead of free slots only as far as they
/// will start within `lookahead`, and a batch grows only while full ones are returned.
struct LeasePlan {
    /// The longest planned wait of a leased job for a slot, in seconds.
    static let lookahead = 0.1
    /// The weight of the latest run time in the moving average, 0 to 1.
    private static let smoothing = 0.1

    let concurrency: Int
    let batchSize: Int
    let batchMax: Int

    /// The current maximum of one statement, `batchSize` to `batchMax`.
    private(set) var batch: Int
    /// Leased jobs without a slot.
    private(set) var waiting = 0
    /// Jobs with a slot.
    private(set) var running = 0
    /// Moving average of the time that a job holds its slot, in seconds; nil before the first job has ended.
    private(set) var averageSeconds: Double?

    /// 1 <= `batchSize` <= `batchMax`, `concurrency` >= 1.
    init(concurrency: Int, batchSize: Int, batchMax: Int) {
        self.concurrency = concurrency
        self.batchSize = batchSize
        self.batchMax = max(batchSize, batchMax)
        batch = batchSize
    }

    var hasFreeSlot: Bool { running < concurrency }

    /// The number of jobs beyond the free slots that would start within `lookahead`.
    private var ahead: Int {
        guard let averageSeconds else { return 0 }
        let perSecond = Double(concurrency) / max(averageSeconds, 1e-6)
        return min(batchMax, Int(perSecond * Self.lookahead))
    }

    /// The number of jobs to request now; 0: none before a job has ended.
    var wanted: Int {
        min(batch, concurrency + ahead - running - waiting).clamped(to: 0...batchMax)
    }

    /// A lease statement returned `count` of `requested` jobs.
    mutating func leased(_ count: Int, of requested: Int) {
        waiting += count
        if count < requested {
            batch = batchSize
        } else if requested == batch {
            batch = min(batch * 2, batchMax)
        }
    }

    /// A waiting job gets a slot.
    mutating func started() {
        precondition(waiting > 0 && hasFreeSlot, "a job starts only from waiting, and with a free slot")
        waiting -= 1
        running += 1
    }

    /// Waiting jobs were released before they started.
    mutating func released(_ count: Int = 1) {
        waiting -= count
    }

    /// A job has left its slot before its handler started.
    mutating func abandoned() {
        running -= 1
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
