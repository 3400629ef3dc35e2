import TestKit
import Testing

@testable import Pools

@Suite struct RebalanceTests {
    /// The owners after the changes.
    private func balanced(_ workloads: [Placement], _ members: [Int32]) -> [Placement] {
        let changes = Rebalance.changes(of: workloads, among: members)
        return workloads.map { workload in
            Placement(
                name: workload.name, owner: changes[workload.name] ?? workload.owner,
                preferredOwner: workload.preferredOwner)
        }
    }

    private func counts(_ workloads: [Placement], _ members: [Int32]) -> [Int] {
        members.map { member in workloads.count { $0.owner == member } }
    }

    /// The minimum number of moves after which the numbers differ by at most one, over all choices of the members with
    /// one more: each member loses its surplus, and nothing else.
    private func fewestMoves(_ workloads: [Placement], _ members: [Int32]) -> Int {
        let (share, rest) = workloads.count.quotientAndRemainder(dividingBy: members.count)
        let counts = counts(workloads, members)
        var best = Int.max
        for choice in 0..<(1 << members.count) where choice.nonzeroBitCount == rest {
            let moves = counts.indices.reduce(0) { sum, index in
                sum + max(0, counts[index] - share - (choice >> index & 1))
            }
            best = min(best, moves)
        }
        return best
    }

    @Test(arguments: TestSeeds.take(400))
    func `shares differ by at most one, the fewest workloads move, and the input order does not matter`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let members = Array((0..<Int32(10)).shuffled(using: &random).prefix(Int.random(in: 1...6, using: &random)))
        let workloads = (0..<Int.random(in: 0...40, using: &random)).map { number in
            Placement(
                name: "w\(number)", owner: Bool.random(using: &random) ? Int32.random(in: 0..<10, using: &random) : nil,
                preferredOwner: Bool.random(using: &random) ? Int32.random(in: 0..<10, using: &random) : nil)
        }
        let changes = Rebalance.changes(of: workloads, among: members)
        let after = balanced(workloads, members)
        let counts = counts(after, members)
        #expect(counts.reduce(0, +) == workloads.count)
        #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
        for workload in workloads {
            if let owner = changes[workload.name] { #expect(owner != workload.owner) }
        }
        let moved = workloads.count { workload in
            workload.owner.map(members.contains) == true && changes[workload.name] != nil
        }
        #expect(moved == fewestMoves(workloads, members))
        #expect(
            Rebalance.changes(of: workloads.shuffled(using: &random), among: members.shuffled(using: &random))
                == changes)
        #expect(Rebalance.changes(of: after, among: members).isEmpty)
    }

    @Test(arguments: TestSeeds.take(200))
    func `the counts alone tell whether a rebalancing is due`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let members = Array(Int32(0)..<Int32.random(in: 1...4, using: &random))
        let workloads = (0..<Int.random(in: 0...9, using: &random)).map { number in
            Placement(
                name: "w\(number)",
                owner: Int.random(in: 0..<9, using: &random) == 0 ? nil : Int32.random(in: 0...4, using: &random))
        }
        var counts: [Int32: Int] = [:]
        for workload in workloads { counts[workload.owner ?? -1, default: 0] += 1 }
        #expect(Rebalance.isDue(counts, among: members) == !Rebalance.changes(of: workloads, among: members).isEmpty)
    }

    @Test(arguments: TestSeeds.take(100))
    func `a rolling restart restores the assignment, if the shares are equal`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let size = Int32.random(in: 2...7, using: &random)
        let members = Array(0..<size)
        let count = Int(size) * Int.random(in: 1...6, using: &random)
        let start = balanced((0..<count).map { Placement(name: "w\($0)") }, members).map { workload in
            Placement(name: workload.name, owner: workload.owner, preferredOwner: workload.owner)
        }
        var workloads = start
        for member in members.shuffled(using: &random) {
            workloads = balanced(workloads, members.filter { $0 != member })
            workloads = balanced(workloads, members)
        }
        #expect(workloads == start)
    }

    @Test func `new workloads go to the members with the fewest`() {
        let workloads = [Placement(name: "a", owner: 0), Placement(name: "b"), Placement(name: "c")]
        #expect(Rebalance.changes(of: workloads, among: [0, 1, 2]) == ["b": 1, "c": 2])
    }

    @Test func `only workloads without an owner move`() {
        let owners: [Int32] = [0, 0, 1, 1, 2, 2]
        let workloads = zip(Fixture.workloadNames, owners).map { Placement(name: $0, owner: $1, preferredOwner: $1) }
        #expect(Rebalance.changes(of: workloads, among: [0, 2]) == ["c": 0, "d": 2])
    }
}
