import Jobs
import Values

/// What the queue must do, told in memory: one caller at a time, and no clock.
///
/// Written from the documents and not from the statements, so that the two can be compared.
struct QueueModel {
    struct Entry {
        let id: UUID
        let queue: String
        let type: String
        let priority: Int16
        let maxAttempts: Int
        /// A failed attempt is followed by a wait.
        let hasBackoff: Bool
        var status: JobStatus
        /// Attempts spent, or the number of the one that runs.
        var attempt = 0
        /// Of the attempt that runs, or that ended the job.
        var token: Int64?
        /// In the order of its subqueue, while it is queued.
        var place = 0

        var isLeased: Bool { status == .running || status == .ending }

        /// What is shown: a person's retry adds an attempt where none is left.
        var shownMaxAttempts: Int {
            max(maxAttempts, status == .queued || status == .scheduled ? attempt + 1 : attempt)
        }
    }

    private(set) var entries: [UUID: Entry] = [:]
    /// In the order of creation, so that one seed chooses the same jobs each time.
    private(set) var ids: [UUID] = []
    /// How many jobs of a queue have taken each transition of the life cycle.
    private(set) var transitions: [String: [String: Int64]] = [:]
    /// Leases that somebody has had.
    private(set) var lost: [HeldLease] = []
    private(set) var lastToken: Int64 = 0
    private var lastPlace = 0

    func ids(in statuses: JobStatus...) -> [UUID] {
        ids.filter { statuses.contains(entries[$0]!.status) }
    }

    /// The leases that are held now.
    var held: [HeldLease] {
        ids(in: .running, .ending).map { HeldLease(id: $0, token: entries[$0]!.token!) }
    }

    /// How many jobs of each queue are in each status.
    var depths: [String: [JobStatus: Int64]] {
        var depths: [String: [JobStatus: Int64]] = [:]
        for entry in entries.values { depths[entry.queue, default: [:]][entry.status, default: 0] += 1 }
        return depths
    }

    // MARK: Steps

    mutating func create(_ job: NewJob, id: UUID) {
        ids.append(id)
        entries[id] = Entry(
            id: id, queue: job.queue, type: job.type, priority: job.priority, maxAttempts: Int(job.maxAttempts),
            hasBackoff: job.backoff != .none, status: .scheduled)
        if job.runAt == nil { move(id, to: .queued, "enqueued") } else { move(id, to: .scheduled, "delayed") }
    }

    /// Which jobs the next lease takes: the most urgent subqueues first, of those the one whose first job waits
    /// longest, and each subqueue in its order.
    func nextToLease(queues: Set<String>?, without types: Set<String>, count: Int) -> Set<UUID> {
        let waiting = entries.values.filter { entry in
            entry.status == .queued && queues?.contains(entry.queue) != false && !types.contains(entry.type)
        }
        let subqueues = Dictionary(grouping: waiting) { "\($0.queue) \($0.type) \($0.priority)" }
        let ordered = subqueues.values.map { $0.sorted { $0.place < $1.place } }
            .sorted { ($0[0].priority, $0[0].place) < ($1[0].priority, $1[0].place) }
        return Set(ordered.joined().prefix(count).map(\.id))
    }

    mutating func lease(_ ids: Set<UUID>, token: Int64) {
        lastToken = token
        for id in ids {
            entries[id]!.attempt += 1
            entries[id]!.token = token
            move(id, to: .running, "leased")
        }
    }

    mutating func finish(_ lease: HeldLease, _ result: AttemptResult) -> FinishAnswer {
        guard let entry = entries[lease.id], entry.isLeased, entry.token == lease.token else { return .leaseLost }
        lost.append(lease)
        let isEnding = entry.status == .ending
        switch result {
        case .succeeded:
            completedBeforeCancel(entry)
            move(lease.id, to: .succeeded, "succeeded")
            return .succeeded
        case .failed:
            completedBeforeCancel(entry)
            move(lease.id, to: .failed, "failed")
            return .failed
        case .retry, .snoozed, .released:
            if isEnding {
                move(lease.id, to: .cancelled, "cancelled_running")
                return .cancelled
            }
        }
        return release(entry, result)
    }

    private mutating func release(_ entry: Entry, _ result: AttemptResult) -> FinishAnswer {
        if case .retry(_, let delay) = result {
            if entry.attempt >= entry.maxAttempts {
                move(entry.id, to: .failed, "failed")
                return .failed
            }
            let waits = delay.map { $0 > 0 } ?? entry.hasBackoff
            move(entry.id, to: waits ? .scheduled : .queued, waits ? "retried_later" : "retried_now")
            return .retried
        }
        entries[entry.id]!.attempt -= 1
        if case .snoozed(let seconds) = result, seconds > 0 {
            move(entry.id, to: .scheduled, "snoozed")
            return .snoozed
        }
        move(entry.id, to: .queued, "released")
        return .released
    }

    /// A job that ends by itself although it was asked to stop was running after all.
    private mutating func completedBeforeCancel(_ entry: Entry) {
        if entry.status == .ending { move(entry.id, to: .running, "completed_before_cancel") }
    }

    mutating func requestStop(_ id: UUID) {
        if entries[id]!.status == .running { move(id, to: .ending, "cancel_requested") }
    }

    /// Whether it was done.
    mutating func cancel(_ id: UUID) -> Bool {
        switch entries[id]!.status {
        case .queued: move(id, to: .cancelled, "cancelled_queued")
        case .scheduled: move(id, to: .cancelled, "cancelled_scheduled")
        case .running: requestStop(id)
        default: return false
        }
        return true
    }

    /// Whether it was done.
    mutating func retry(_ id: UUID) -> Bool {
        switch entries[id]!.status {
        case .failed: move(id, to: .queued, "failed_retried")
        case .cancelled: move(id, to: .queued, "cancelled_retried")
        case .scheduled: move(id, to: .queued, "promoted")
        default: return false
        }
        return true
    }

    /// Takes back an expired lease.
    mutating func reclaim(_ lease: HeldLease) {
        guard let entry = entries[lease.id] else { return }
        lost.append(lease)
        if entry.status == .ending {
            move(entry.id, to: .cancelled, "cancelled_running")
        } else if entry.attempt >= entry.maxAttempts {
            move(entry.id, to: .failed, "reclaimed_failed")
        } else {
            move(entry.id, to: .scheduled, "reclaimed")
        }
    }

    mutating func promote(_ id: UUID) {
        move(id, to: .queued, "promoted")
    }

    private mutating func move(_ id: UUID, to status: JobStatus, _ transition: String) {
        var entry = entries[id]!
        let wasLeased = entry.isLeased
        entry.status = status
        if status == .queued {
            lastPlace += 1
            entry.place = lastPlace
        }
        // An attempt that ended its job stays on record.
        if !entry.isLeased, !(wasLeased && status.isTerminal) { entry.token = nil }
        entries[id] = entry
        transitions[entry.queue, default: [:]][transition, default: 0] += 1
    }
}
