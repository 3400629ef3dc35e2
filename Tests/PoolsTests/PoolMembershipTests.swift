import Testing
import Values

@testable import Pools

@Suite struct PoolMembershipTests {
    private static let start = WallInstant(microseconds: 1_000_000_000)

    /// The results of updates with these live members at these seconds.
    private func results(
        _ size: Int32?, _ updates: [(second: Int, alive: Set<Int32>)]
    ) -> [[Int32]?] {
        var membership = PoolMembership(size: size, since: Self.start)
        return updates.map { membership.update(alive: $0.alive, at: Self.start + .seconds($0.second)) }
    }

    @Test func `nothing is assigned before the pool is complete for the first time`() {
        #expect(
            results(3, [(0, []), (1, [0]), (2, [0, 2]), (500, [0, 2]), (501, [0, 2, 3]), (502, [0, 1, 2])])
                == [nil, nil, nil, nil, nil, [0, 1, 2]])
    }

    @Test func `after that the live members share, without those above the size`() {
        #expect(
            results(2, [(0, [0, 1, 5]), (1, [1, 5]), (2, [0, 1, 5])]) == [[0, 1], [1], [0, 1]])
    }

    @Test func `without any member it waits for all of them, up to half a minute`() {
        #expect(
            results(3, [(0, [0, 1, 2]), (10, []), (100, [1]), (101, [0, 1]), (102, [0, 1, 2])])
                == [[0, 1, 2], nil, nil, nil, [0, 1, 2]])
        #expect(
            results(3, [(0, [0, 1, 2]), (10, []), (100, [1]), (129, [1]), (130, [1]), (131, [0, 1])])
                == [[0, 1, 2], nil, nil, nil, [1], [0, 1]])
    }

    @Test func `a changed size applies at once to a complete pool, and otherwise when it is complete`() {
        var membership = PoolMembership(size: 2, since: Self.start)
        #expect(membership.update(alive: [0, 1, 2], at: Self.start) == [0, 1])
        membership.size = 4
        #expect(membership.update(alive: [0, 1, 2], at: Self.start) == [0, 1, 2])
        membership.size = 1
        #expect(membership.update(alive: [0, 1, 2], at: Self.start) == [0])
        var waiting = PoolMembership(size: 3, since: Self.start)
        #expect(waiting.update(alive: [0, 1], at: Self.start) == nil)
        waiting.size = 2
        #expect(waiting.update(alive: [0, 1], at: Self.start) == [0, 1])
    }

    @Test func `auto: the size is the number of contiguous ordinals from 0 after ten seconds`() {
        #expect(
            results(nil, [(0, [1, 2]), (50, [1, 2]), (51, [0, 1]), (60, [0, 1]), (61, [0, 1])])
                == [nil, nil, nil, nil, [0, 1]])
        // Each new member restarts the ten seconds.
        #expect(
            results(nil, [(0, [0]), (9, [0, 1]), (18, [0, 1, 2]), (27, [0, 1, 2]), (28, [0, 1, 2])])
                == [nil, nil, nil, nil, [0, 1, 2]])
    }

    @Test func `auto: members above a gap keep their workloads, and the pool shrinks from its end`() {
        let whole: Set<Int32> = [0, 1, 2, 3]
        #expect(
            results(nil, [(0, whole), (10, whole), (11, [0, 2, 3]), (100, [0, 2, 3]), (101, whole)])
                == [nil, [0, 1, 2, 3], [0, 2, 3], [0, 2, 3], [0, 1, 2, 3]])
        var membership = PoolMembership(size: nil, since: Self.start)
        for second in [0, 10] { _ = membership.update(alive: whole, at: Self.start + .seconds(second)) }
        #expect(membership.completeSize == 4 && membership.isComplete(whole) && !membership.isComplete([0, 1, 2]))
        #expect(membership.update(alive: [0, 1], at: Self.start + .seconds(20)) == [0, 1])
        #expect(membership.completeSize == 4)
        #expect(membership.update(alive: [0, 1], at: Self.start + .seconds(30)) == [0, 1])
        #expect(membership.completeSize == 2 && membership.isComplete([0, 1]))
        // It grows ten seconds after the next member.
        #expect(membership.update(alive: [0, 1, 2], at: Self.start + .seconds(40)) == [0, 1])
        #expect(membership.update(alive: [0, 1, 2], at: Self.start + .seconds(50)) == [0, 1, 2])
    }

    @Test func `auto: after an outage the first member does not get everything`() {
        let whole: Set<Int32> = [0, 1, 2]
        #expect(
            results(nil, [(0, whole), (10, whole), (20, []), (30, [0]), (45, [0]), (46, whole), (56, whole)])
                == [nil, [0, 1, 2], nil, nil, nil, nil, [0, 1, 2]])
        #expect(
            results(nil, [(0, whole), (10, whole), (20, []), (30, [0]), (60, [0])]) == [nil, [0, 1, 2], nil, nil, [0]])
    }
}
