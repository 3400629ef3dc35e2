public import Postgres
internal import Values

/// A subqueue that takes no new jobs, unless it is registered again.
struct RetiredSubqueue: Sendable {
    let id: Int32
    let queueID: Int32
    let retiredAt: WallInstant
}

extension RetiredSubqueue: RowDecodable {
    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        queueID = try columns.next()
        retiredAt = try columns.next()
    }
}

/// The result of one statement of a sweep that retires subqueues.
public struct RetirementBatch: Sendable {
    public let retired: Int
    /// The subqueue after which the next statement begins; nil after the last one of the sweep.
    public let next: Int32?
}

/// The result of one removal of retired subqueues.
public struct SubqueueRemoval: Sendable {
    public let subqueues: Int
    public let queues: Int
    /// The subqueue after which the next removal begins; nil: no more are due.
    public let next: Int32?
}

/// Retiring and removing subqueues without jobs: the steps are in `0013_remove_queues.sql`.
extension JobStore {
    /// `retired_at` is also the beginning of the time without jobs, since a creation takes the subqueue into use again:
    /// so no creation has to record when it used its subqueue. A subqueue that gets a job later costs its creation two
    /// statements more.
    static let retireStatement = Statement<Int32, Int32>(
        "retire_empty_subqueues",
        """
        WITH seen AS MATERIALIZED (
            SELECT id FROM subqueue WHERE id > $1 ORDER BY id LIMIT $2),
        retired AS (
            UPDATE subqueue SET retired_at = clock_timestamp()
            WHERE id = ANY (ARRAY(
                SELECT b.id
                FROM empty_subqueues(ARRAY(SELECT id FROM seen)) AS e (id) JOIN subqueue b ON b.id = ANY (ARRAY[e.id])
                WHERE b.retired_at IS NULL
                ORDER BY b.id FOR NO KEY UPDATE OF b SKIP LOCKED))
            RETURNING id)
        SELECT (SELECT count(*) FROM retired), count(*), max(id) FROM seen
        """, isIdempotent: true)

    /// Retires the subqueues without jobs among the next `limit` ones after `subqueue`.
    public func retireEmptySubqueues(
        after subqueue: Int32, atMost limit: Int32
    ) async throws(PostgresError) -> RetirementBatch {
        let (retired, seen, last) = try await general.execute(Self.retireStatement(subqueue, limit))
            .decodeOnly((Int64, Int64, Int32?).self)
        return RetirementBatch(retired: Int(retired), next: seen == Int64(limit) ? last : nil)
    }

    private static let dueStatement = Statement<Double, Int32, Int32>(
        "list_retired_subqueues",
        """
        SELECT id, queue_id, retired_at FROM subqueue
        WHERE retired_at < clock_timestamp() - make_interval(secs => $1) AND id > $2
        ORDER BY id LIMIT $3
        """, isIdempotent: true)

    /// A queue keeps its row if it has settings, a pause, or a name in the metrics: the counters of a queue that has
    /// jobs once a month must not start from 0 each time.
    private static let removeBareQueues = Statement<[Int32]>(
        "remove_bare_queues",
        """
        SELECT count(*) FILTER (WHERE remove_queue(q.name)) FROM queue q
        WHERE q.id = ANY ($1) AND NOT q.in_metrics AND NOT q.limited AND NOT q.keeps_leases
          AND num_nonnulls(q.succeeded_hours, q.failed_hours, q.cancelled_hours) = 0
        """, isIdempotent: true)

    /// Removes subqueues that were retired before the time `rest` and have no jobs, and those of their queues that have
    /// neither another subqueue nor settings.
    /// - Parameters:
    ///   - subqueue: those after this one.
    ///   - limit: maximum number of subqueues.
    public func removeRetiredSubqueues(
        restingFor rest: Duration, after subqueue: Int32, atMost limit: Int32
    ) async throws(PostgresError) -> SubqueueRemoval {
        let due: [RetiredSubqueue] = try await general.execute(Self.dueStatement(rest.inSeconds, subqueue, limit))
            .decode()
        guard !due.isEmpty, let removed = try await remove(due) else {
            return SubqueueRemoval(subqueues: 0, queues: 0, next: nil)
        }
        let queues: Int64 = try await general.execute(Self.removeBareQueues(Array(Set(due.map(\.queueID)))))
            .decodeOnly()
        return SubqueueRemoval(
            subqueues: removed, queues: Int(queues), next: due.count == Int(limit) ? due.last?.id : nil)
    }

    private static let releaseNames = Statement("release_metric_names", "SELECT release_metric_names()")

    /// Makes the names in the metrics of removed queues free, if no live worker counts under them.
    /// - Returns: the number of names.
    public func releaseMetricNames() async throws(PostgresError) -> Int {
        Int(try await general.execute(Self.releaseNames()).decodeOnly(as: Int64.self))
    }

    /// Those of `$1` that have no jobs. The others are in use again.
    private static let emptyStatement = Statement<[Int32]>(
        "list_empty_subqueues",
        """
        WITH empty AS MATERIALIZED (SELECT e.id FROM empty_subqueues($1) AS e (id)),
        used AS (
            UPDATE subqueue SET retired_at = NULL
            WHERE id = ANY (ARRAY(
                SELECT b.id FROM subqueue b
                WHERE b.id = ANY ($1) AND b.id NOT IN (SELECT id FROM empty)
                ORDER BY b.id FOR NO KEY UPDATE OF b SKIP LOCKED)))
        SELECT id FROM empty
        """, isIdempotent: true)

    private static let rollUpSubqueues = Statement<[Int32]>(
        "roll_up_subqueues", rollUp(taken: "SELECT ctid FROM transition_delta WHERE subqueue_id = ANY ($1) FOR UPDATE"))

    private static let removeStatement = Statement<[Int32], [WallInstant]>(
        "remove_subqueues", "SELECT remove_subqueues($1, $2)")

    /// Steps 2 to 5 of a removal: those of `subqueues` that have no jobs, are still retired since the same instant, and
    /// are not locked.
    /// - Returns: the number of removed ones; nil: a transaction that may create jobs did not end in time.
    func remove(_ subqueues: [RetiredSubqueue]) async throws(PostgresError) -> Int? {
        guard !subqueues.isEmpty else { return 0 }
        guard try await CreationLock.waitForCreations(on: general) else { return nil }
        let ids: [Int32] = try await general.execute(Self.emptyStatement(subqueues.map(\.id))).decode()
        guard !ids.isEmpty else { return 0 }
        _ = try await general.execute(Self.rollUpSubqueues(ids))
        let empty = Set(ids)
        let due = subqueues.filter { empty.contains($0.id) }
        let removed: Int32 = try await general.execute(Self.removeStatement(due.map(\.id), due.map(\.retiredAt)))
            .decodeOnly()
        return Int(removed)
    }
}
