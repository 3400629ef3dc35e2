/// The position of one worker in the walk over subqueues, and in the round-robin over concurrency keys (`lease_fairly`,
/// `0008_fairness.sql`). Pure.
///
/// The fairness keys of a group form a cycle in the order of their values. Each worker starts at a random position and
/// continues after the key that it served last. PostgreSQL stores nothing of this: if each worker is fair, all of them
/// together are.
public struct FairnessCursor: Sendable {
    /// Number of groups to remember. Above it the positions are dropped, and every group starts at `start` again.
    private static let groupsMax = 1_000
    /// A lease that finds many subqueues has cost one statement for nothing.
    private static let leasesBetweenProbes = 1_000

    /// Jobs with a concurrency key, or in a limited queue, were ready. The statement for unrestricted subqueues skips
    /// them.
    var isRestrictedWorkReady = false
    /// Where the walk of the last lease was cut, and the next one goes on; nil: at the start.
    var next: WalkPosition?
    /// The queues of that walk; nil: all.
    private var walkedQueues: [Int32]?
    var window = WalkWindow()
    /// Leases of given queues for which all their subqueues are not tried to be probed again.
    private var leasesUntilProbe = 0
    /// Position in groups that have not been served yet.
    let start: Int64
    private var lastKeys: [Int64: Int64] = [:]

    public init() {
        self.init(start: .random(in: .min ... .max))
    }

    init(start: Int64) {
        self.start = start
    }

    /// Counts a lease of given queues, and returns whether it is to try all their subqueues, which may be few.
    mutating func takeProbe() -> Bool {
        leasesUntilProbe = max(0, leasesUntilProbe - 1)
        return leasesUntilProbe == 0
    }

    mutating func subqueuesWereMany() {
        leasesUntilProbe = Self.leasesBetweenProbes
    }

    /// The walk of the next lease, over these queues. A walk over other queues begins at the start.
    mutating func takeWalk(of queues: [Int32]?) -> Walk {
        defer { (next, walkedQueues) = (nil, queues) }
        return Walk(next: queues == walkedQueues ? next : nil)
    }

    /// The groups served so far. Parallel to `lastServed`.
    var groups: [Int64] { lastKeys.keys.sorted() }
    /// The key served last in each of `groups`.
    var lastServed: [Int64] { groups.map { lastKeys[$0] ?? start } }

    /// Records the keys served by one lease, by group. The key farthest along the cycle becomes the position.
    mutating func served(_ keysByGroup: [Int64: [Int64]]) {
        if lastKeys.count + keysByGroup.count > Self.groupsMax { lastKeys = [:] }
        for (group, keys) in keysByGroup {
            let origin = lastKeys[group] ?? start
            lastKeys[group] = keys.max { Self.distance(from: origin, to: $0) < Self.distance(from: origin, to: $1) }
        }
    }

    /// Distance along the cycle, which wraps around. The origin itself is the farthest.
    private static func distance(from origin: Int64, to key: Int64) -> UInt64 {
        UInt64(bitPattern: key &- origin &- 1)
    }
}
