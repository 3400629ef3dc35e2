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
/// all.
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
                    let changed = Set(try await change(found, in: status, bulk.actor, &pace))
                    report.add(found.filter(changed.contains))
                }
            }
        }
    }

    /// One batch, of jobs that were in this status. Returns the ids of the jobs that were changed.
    private func change(
        _ ids: [UUID], in status: JobStatus, _ actor: Actor, _ pace: inout RedrivePace?
    ) async throws(PostgresError) -> [UUID] {
        switch status {
        case .queued, .scheduled: return try await cancelWaiting(ids, by: actor)
        case .running: return try await requestCancel(ids, by: actor)
        case .failed, .cancelled:
            let retried = try await retryEnded(ids, by: actor, at: pace)
            if pace?.origin == nil { pace?.origin = retried.moment }
            pace?.position += Int64(retried.ids.count)
            return retried.ids
        case .ending, .succeeded: return []
        }
    }
}
