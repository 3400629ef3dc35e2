public import Postgres
public import Values

/// One change of many jobs.
public struct BulkChange: Sendable {
    public enum Verb: Sendable {
        case cancel
        case retry

        /// The statuses in which a job can be changed so, in the order in which they are processed.
        public var statuses: [JobStatus] {
            switch self {
            case .cancel: [.queued, .scheduled, .running]
            case .retry: [.failed, .cancelled]
            }
        }
    }

    public var verb: Verb
    /// The status is one of the verb's, or nil for all of them. A worker is not accepted.
    public var filter = JobFilter()
    /// Maximum number of jobs to change.
    public var limit = Self.limitStandard
    /// Report only; change nothing.
    public var isDryRun = false
    /// Of a retry: the number of jobs that may start in a second; the others are scheduled. nil: all at once.
    public var ratePerSecond: Double?
    public var actor = Actor.unnamed

    public static let limitRange: ClosedRange<Int32> = 1...10_000
    public static let limitStandard: Int32 = 1_000
    public static let rateRange = 0.01...10_000

    public init(_ verb: Verb) {
        self.verb = verb
    }
}

/// The result of a bulk change, or of its dry run.
public struct BulkReport: Sendable {
    /// The jobs that match.
    public internal(set) var matched: Set<UUID> = []
    public internal(set) var changed = 0
    /// Jobs that match and were not changed, because another transaction had locked them or their unique keys.
    public internal(set) var locked = 0
    /// More jobs match than the limit allows.
    public internal(set) var isMore = false
    /// The first jobs that were changed, or would be.
    public internal(set) var ids: [UUID] = []

    public static let idsMax = 100

    public init() {}

    fileprivate mutating func add(_ changed: [UUID]) {
        self.changed += changed.count
        ids += changed.prefix(Self.idsMax - ids.count)
    }
}

/// Jobs are found by the statements of a list, the newest first, and changed in batches: each is a statement and a
/// transaction of its own, which takes some milliseconds. So no lock is held for long, and the batches before a failure
/// stay changed. A job that moves meanwhile is changed in the state that it has when its batch is executed, or not at
/// all. A batch that meets a lock of another transaction is halved until the locked jobs are found, which are left as
/// they are.
extension JobStore {
    /// Number of jobs in one batch.
    private static let bulkBatch = 500

    /// Changes the jobs, and counts in `report`, which is right also when an error ends it.
    public func change(_ bulk: BulkChange, into report: inout BulkReport) async throws(PostgresError) {
        var pace = bulk.ratePerSecond.map { RedrivePace(secondsApart: 1 / $0) }
        for status in bulk.verb.statuses where bulk.filter.status == nil || bulk.filter.status == status {
            var filter = bulk.filter
            filter.status = status
            var cursor: UUID?
            while true {
                let left = Int(bulk.limit) - report.matched.count
                // At the limit, one more job shows that there are more.
                let found = try await listIDs(filter, before: cursor, limit: max(1, min(left, Self.bulkBatch)))
                guard let last = found.last else { break }
                guard left > 0 else {
                    report.isMore = true
                    return
                }
                cursor = last
                report.matched.formUnion(found)
                if bulk.isDryRun {
                    report.ids += found.prefix(BulkReport.idsMax - report.ids.count)
                } else {
                    report.locked += try await changeUnlocked(found) { (ids, lockWait) async throws(PostgresError) in
                        let changed = Set(try await change(ids, in: status, bulk.actor, &pace, lockWait))
                        report.add(ids.filter(changed.contains))
                    }
                }
            }
        }
    }

    /// Calls `body` with the ids, in parts if that is necessary to find those that are locked.
    /// - Returns: the number of jobs that are locked. All others were passed to a `body` that returned.
    func changeUnlocked(
        _ ids: [UUID], lockWait: LockWait = .once,
        _ body: ([UUID], LockWait) async throws(PostgresError) -> Void
    ) async throws(PostgresError) -> Int {
        do throws(PostgresError) {
            try await body(ids, lockWait)
            return 0
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            guard ids.count > 1 else { return 1 }
            let middle = ids.count / 2
            return try await changeUnlocked(Array(ids[..<middle]), lockWait: .briefly, body)
                + changeUnlocked(Array(ids[middle...]), lockWait: .briefly, body)
        }
    }

    /// One batch, of jobs that were in this status. Returns the ids of the jobs that were changed.
    private func change(
        _ ids: [UUID], in status: JobStatus, _ actor: Actor, _ pace: inout RedrivePace?, _ lockWait: LockWait
    ) async throws(PostgresError) -> [UUID] {
        switch status {
        case .queued, .scheduled: return try await cancelWaiting(ids, by: actor, lockWait: lockWait)
        case .running: return try await requestCancel(ids, by: actor, lockWait: lockWait)
        case .failed, .cancelled:
            let retried = try await retryEnded(ids, by: actor, at: pace, lockWait: lockWait)
            if pace?.origin == nil { pace?.origin = retried.moment }
            pace?.position += Int64(retried.ids.count)
            return retried.ids
        case .ending, .succeeded: return []
        }
    }
}
