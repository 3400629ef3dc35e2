public import Postgres

/// Which jobs a worker asks for.
public struct LeaseRequest: Sendable {
    /// Ids of queues; nil: all.
    public var queues: [Int32]?
    /// Ids of types that the worker cannot run.
    public var excludedTypes: [Int32]
    /// Maximum number of jobs to lease.
    public var count: Int
    /// The worker that will hold them.
    public var worker: Int64
    /// Lease duration in seconds.
    public var leaseSeconds: Double

    public init(queues: [Int32]?, excludedTypes: [Int32], count: Int, worker: Int64, leaseSeconds: Double) {
        self.queues = queues
        self.excludedTypes = excludedTypes
        self.count = count
        self.worker = worker
        self.leaseSeconds = leaseSeconds
    }
}

/// `$1` to `$5` of both lease statements.
extension LeaseRequest: StatementInputGroup {
    public var statementInputs: StatementInputs<[Int32]?, [Int32], Int32, Int64, Double> {
        StatementInputs(queues, excludedTypes, Int32(count), worker, leaseSeconds)
    }
}

/// The jobs that were leased.
public struct LeaseAnswer: Sendable {
    public var jobs: [LeasedJob]
    /// Queues whose rate holds ready jobs back, and how long until it lets the next one start.
    public var nextStarts: [String: Duration] = [:]
    /// Limited queues of which more jobs could start than were asked for.
    public var unserved: Set<String> = []

    public init(jobs: [LeasedJob]) {
        self.jobs = jobs
    }

    /// Adds the answer of a later statement of the same lease.
    mutating func add(_ later: LeaseAnswer) {
        jobs += later.jobs
        nextStarts.merge(later.nextStarts) { $1 }
        unserved = later.unserved.union(unserved)
    }
}

/// A walk over the subqueues with ready jobs (`ready_subqueues`, `0008_fairness.sql`).
struct Walk: Sendable {
    /// Where it was cut; nil: it is at its start, or at its end.
    var position: WalkPosition?
    /// From this priority on, only the subqueues after this one are visited; nil: all.
    var next: WalkPosition?
}

/// The number of subqueues that one statement visits. Pure.
///
/// A visit costs as much as leasing a job or two. As long as all subqueues with jobs fit the standard window, all are
/// visited, so that the job that has waited longest comes first. If there are more, they take turns, and the window
/// follows the number of subqueues that filled the last lease.
struct WalkWindow: Sendable {
    static let standard = 32
    static let range = 8...64

    private(set) var count = standard

    /// - Parameters:
    ///   - used: the number of subqueues from which jobs were leased; not evaluated if nothing was cut.
    ///   - isFilled: whether these were all that were asked for.
    ///   - isCut: whether there are more subqueues than were visited.
    mutating func visited(used: @autoclosure () -> Int, isFilled: Bool, isCut: Bool) {
        guard isCut else {
            count = Self.standard
            return
        }
        let used = used()
        let next = isFilled ? used + used / 4 + 1 : 2 * count
        count = min(max(next, Self.range.lowerBound), Self.range.upperBound)
    }
}

/// After this subqueue.
struct WalkPosition: Hashable, Sendable {
    let priority: Int16
    let subqueue: Int32
}

extension WalkPosition: StatementInputGroup {
    var statementInputs: StatementInputs<Int16, Int32> { StatementInputs(priority, subqueue) }
}

/// Two columns, `subqueue_id` and `attempt`, NULL where no walk was cut.
extension WalkPosition: OptionalRowDecodable {
    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        subqueue = try columns.next()
        priority = try columns.next()
    }

    static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> WalkPosition? {
        let subqueue: Int32? = try columns.next()
        let priority: Int16? = try columns.next()
        guard let subqueue, let priority else { return nil }
        return WalkPosition(priority: priority, subqueue: subqueue)
    }
}
