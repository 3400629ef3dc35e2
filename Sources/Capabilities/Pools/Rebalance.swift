/// A workload, and whose it is.
public struct Placement: Hashable, Sendable {
    public let name: String
    /// An ordinal; nil: nobody's.
    public var owner: Int32?
    /// Its owner when the pool was complete last: where it goes back to if it can choose.
    public var preferredOwner: Int32?

    public init(name: String, owner: Int32? = nil, preferredOwner: Int32? = nil) {
        self.name = name
        self.owner = owner
        self.preferredOwner = preferredOwner
    }
}

/// Shares workloads out among members: pure, and the same for the same input in any order.
///
/// Each member has as many as any other, or one more. No other way to do that would move fewer: those who have the most
/// may keep one more, and nobody gives away what he may keep. Among ways that move as many, workloads go where they
/// were when the pool was complete, so that after a member's restart everything is as before.
public enum Rebalance {
    /// The owner of each workload whose owner changes.
    /// - Parameter members: ordinals; at least one.
    public static func changes(of workloads: [Placement], among members: [Int32]) -> [String: Int32] {
        var shares = Shares(workloads, members)
        var unplaced = workloads.filter { shares.held[$0.owner ?? -1] == nil }
        for member in members { unplaced += shares.shed(by: member) }
        unplaced.sort { $0.name < $1.name }

        var changes: [String: Int32] = [:]
        var others: [Placement] = []
        for workload in unplaced {
            if let preferredOwner = workload.preferredOwner, shares.take(preferredOwner) {
                changes[workload.name] = preferredOwner
            } else {
                others.append(workload)
            }
        }
        for workload in others { changes[workload.name] = shares.takeLowest() }
        return changes
    }

    /// Whether there is anything to change, from how many workloads each owner has.
    /// - Parameter counts: by owner; -1: nobody.
    public static func isDue(_ counts: [Int32: Int], among members: [Int32]) -> Bool {
        if counts.contains(where: { $0.value > 0 && !members.contains($0.key) }) { return true }
        let own = members.map { counts[$0] ?? 0 }
        return (own.max() ?? 0) - (own.min() ?? 0) > 1
    }
}

/// How many workloads each member may have, and which it has.
private struct Shares {
    /// In order.
    private let members: [Int32]
    private(set) var held: [Int32: [Placement]]
    private var most: [Int32: Int] = [:]
    private var counts: [Int32: Int]

    init(_ workloads: [Placement], _ members: [Int32]) {
        self.members = members.sorted()
        var held = Dictionary(uniqueKeysWithValues: members.map { ($0, [Placement]()) })
        var guests: [Int32: Int] = [:]
        for workload in workloads {
            if let owner = workload.owner, held[owner] != nil {
                held[owner]?.append(workload)
            } else if let preferredOwner = workload.preferredOwner {
                guests[preferredOwner, default: 0] += 1
            }
        }
        self.held = held
        counts = held.mapValues(\.count)
        let (share, rest) = workloads.count.quotientAndRemainder(dividingBy: members.count)
        let ranked = self.members.sorted { left, right in
            let keys = [left, right].map { (held[$0]?.count ?? 0, guests[$0] ?? 0) }
            return keys[0] == keys[1] ? left < right : keys[0] > keys[1]
        }
        for (rank, member) in ranked.enumerated() { most[member] = share + (rank < rest ? 1 : 0) }
    }

    private func room(_ member: Int32) -> Int { (most[member] ?? 0) - (counts[member] ?? 0) }

    /// What the member has too much: first what belongs to one that has room, then what belongs elsewhere.
    mutating func shed(by member: Int32) -> [Placement] {
        let surplus = -room(member)
        guard surplus > 0 else { return [] }
        var wanted: [Int32: Int] = [:]
        let own = (held[member] ?? []).sorted { $0.name > $1.name }
        let ranked = own.map { workload -> (rank: Int, workload: Placement) in
            guard let preferredOwner = workload.preferredOwner, preferredOwner != member else { return (2, workload) }
            wanted[preferredOwner, default: 0] += 1
            return (wanted[preferredOwner, default: 0] <= room(preferredOwner) ? 0 : 1, workload)
        }
        let given = (0...2).flatMap { rank in ranked.filter { $0.rank == rank } }.prefix(surplus).map(\.workload)
        counts[member, default: 0] -= given.count
        return given
    }

    /// False if the member has as many as it may, or is none.
    mutating func take(_ member: Int32) -> Bool {
        guard room(member) > 0 else { return false }
        counts[member, default: 0] += 1
        return true
    }

    /// The member that has the fewest, of those with room.
    mutating func takeLowest() -> Int32 {
        let open = members.filter { room($0) > 0 }
        guard let lowest = open.min(by: { (counts[$0] ?? 0, $0) < (counts[$1] ?? 0, $1) }) else {
            preconditionFailure("more workloads than shares")
        }
        counts[lowest, default: 0] += 1
        return lowest
    }
}
