/// A workload with its owners.
public struct Placement: Hashable, Sendable {
    public let name: String
    /// The ordinal that it is assigned to; nil: unassigned.
    public var owner: Int32?
    /// Its owner when the pool was last complete: chosen again where there is a choice.
    public var preferredOwner: Int32?

    public init(name: String, owner: Int32? = nil, preferredOwner: Int32? = nil) {
        self.name = name
        self.owner = owner
        self.preferredOwner = preferredOwner
    }
}

/// Assigns workloads to members. Pure: the same input in any order gives the same result.
///
/// The rules, by priority:
/// 1. The numbers of workloads of two members differ by at most one.
/// 2. The fewest workloads move: the members with the most workloads keep the one more, and no member loses a workload
///    that it can keep.
/// 3. Workloads go to their preferred owner, so that the restart of a member restores the assignment.
///
/// A rebalancing has no states of its own. It is due (`isDue`) when a workload has no live owner or the numbers differ
/// by more than one, and it is complete when its changes are committed. A process that dies before that changes
/// nothing, and the next one computes the same changes.
public enum Rebalance {
    /// The new owners by workload name, of those that change.
    /// - Parameter members: ordinals, at least one.
    public static func changes(of workloads: [Placement], among members: [Int32]) -> [String: Int32] {
        var shares = Shares(workloads, members)
        var unplaced = workloads.filter { shares.held[$0.owner ?? -1] == nil }
        for member in members { unplaced += shares.removeSurplus(of: member) }
        unplaced.sort { $0.name < $1.name }

        var changes: [String: Int32] = [:]
        var others: [Placement] = []
        for workload in unplaced {
            if let preferredOwner = workload.preferredOwner, shares.assign(to: preferredOwner) {
                changes[workload.name] = preferredOwner
            } else {
                others.append(workload)
            }
        }
        for workload in others { changes[workload.name] = shares.assignToLowest() }
        return changes
    }

    /// Whether anything has to change.
    /// - Parameter counts: the number of workloads by owner; -1: unassigned.
    public static func isDue(_ counts: [Int32: Int], among members: [Int32]) -> Bool {
        if counts.contains(where: { $0.value > 0 && !members.contains($0.key) }) { return true }
        let own = members.map { counts[$0] ?? 0 }
        return (own.max() ?? 0) - (own.min() ?? 0) > 1
    }
}

/// The number of workloads that each member may have, and those that it has.
private struct Shares {
    /// Sorted.
    private let members: [Int32]
    /// Workloads by owner, before the rebalancing.
    private(set) var held: [Int32: [Placement]]
    /// Maximum number of workloads by member.
    private var shareMax: [Int32: Int] = [:]
    /// Current number of workloads by member.
    private var counts: [Int32: Int]

    init(_ workloads: [Placement], _ members: [Int32]) {
        self.members = members.sorted()
        var held = Dictionary(uniqueKeysWithValues: members.map { ($0, [Placement]()) })
        var returning: [Int32: Int] = [:]
        for workload in workloads {
            if let owner = workload.owner, held[owner] != nil {
                held[owner]?.append(workload)
            } else if let preferredOwner = workload.preferredOwner {
                returning[preferredOwner, default: 0] += 1
            }
        }
        self.held = held
        counts = held.mapValues(\.count)
        let (share, rest) = workloads.count.quotientAndRemainder(dividingBy: members.count)
        let ranked = self.members.sorted { left, right in
            let keys = [left, right].map { (held[$0]?.count ?? 0, returning[$0] ?? 0) }
            return keys[0] == keys[1] ? left < right : keys[0] > keys[1]
        }
        for (rank, member) in ranked.enumerated() { shareMax[member] = share + (rank < rest ? 1 : 0) }
    }

    /// The number of further workloads that the member may have; negative: its surplus.
    private func capacity(_ member: Int32) -> Int { (shareMax[member] ?? 0) - (counts[member] ?? 0) }

    /// Removes the surplus of a member: first workloads whose preferred owner has capacity, then those with another
    /// preferred owner, then the rest.
    mutating func removeSurplus(of member: Int32) -> [Placement] {
        let surplus = -capacity(member)
        guard surplus > 0 else { return [] }
        var wanted: [Int32: Int] = [:]
        let own = (held[member] ?? []).sorted { $0.name > $1.name }
        let ranked = own.map { workload -> (rank: Int, workload: Placement) in
            guard let preferredOwner = workload.preferredOwner, preferredOwner != member else { return (2, workload) }
            wanted[preferredOwner, default: 0] += 1
            return (wanted[preferredOwner, default: 0] <= capacity(preferredOwner) ? 0 : 1, workload)
        }
        let removed = (0...2).flatMap { rank in ranked.filter { $0.rank == rank } }.prefix(surplus).map(\.workload)
        counts[member, default: 0] -= removed.count
        return removed
    }

    /// Assigns one workload to a member.
    /// - Returns: false if it has no capacity, or is not a member.
    mutating func assign(to member: Int32) -> Bool {
        guard capacity(member) > 0 else { return false }
        counts[member, default: 0] += 1
        return true
    }

    /// Assigns one workload to the member with the fewest, of those with capacity.
    /// - Returns: that member.
    mutating func assignToLowest() -> Int32 {
        let open = members.filter { capacity($0) > 0 }
        guard let lowest = open.min(by: { (counts[$0] ?? 0, $0) < (counts[$1] ?? 0, $1) }) else {
            preconditionFailure("the shares add up to the number of workloads")
        }
        counts[lowest, default: 0] += 1
        return lowest
    }
}
