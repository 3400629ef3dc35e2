import Testing
import Values

@testable import Pools

@Suite struct PoolMembershipTests {
    private static let start = WallInstant(microseconds: 1_000_000_000)

    /// What becomes of a pool that is looked at in these seconds with these members.
    private func looks(
        _ size: Int32?, _ steps: [(second: Int, alive: Set<Int32>)]
    ) -> [[Int32]?] {
        var membership = PoolMembership(size: size, since: Self.start)
        return steps.map { membership.look($0.alive, at: Self.start + .seconds($0.second)) }
    }

    @Test func `nothing is assigned before all are there for the first time`() {
        #expect(
            looks(3, [(0, []), (1, [0]), (2, [0, 2]), (500, [0, 2]), (501, [0, 2, 3]), (502, [0, 1, 2])])
                == [nil, nil, nil, nil, nil, [0, 1, 2]])
    }

    @Test func `from then on those who live share, and those above the size do not`() {
        #expect(
            looks(2, [(0, [0, 1, 5]), (1, [1, 5]), (2, [0, 1, 5])]) == [[0, 1], [1], [0, 1]])
    }

    @Test func `when nobody is left, it waits for all that were there, and at last for nobody`() {
        #expect(
            looks(3, [(0, [0, 1, 2]), (10, []), (100, [1]), (101, [0, 1]), (102, [0, 1, 2])])
                == [[0, 1, 2], nil, nil, nil, [0, 1, 2]])
        #expect(
            looks(3, [(0, [0, 1, 2]), (10, []), (100, [1]), (129, [1]), (130, [1]), (131, [0, 1])])
                == [[0, 1, 2], nil, nil, nil, [1], [0, 1]])
    }

    @Test func `a size that was changed counts at once where the pool was complete, and else only when it is`() {
        var membership = PoolMembership(size: 2, since: Self.start)
        #expect(membership.look([0, 1, 2], at: Self.start) == [0, 1])
        membership.size = 4
        #expect(membership.look([0, 1, 2], at: Self.start) == [0, 1, 2])
        membership.size = 1
        #expect(membership.look([0, 1, 2], at: Self.start) == [0])
        var waiting = PoolMembership(size: 3, since: Self.start)
        #expect(waiting.look([0, 1], at: Self.start) == nil)
        waiting.size = 2
        #expect(waiting.look([0, 1], at: Self.start) == [0, 1])
    }

    @Test func `auto: as many as are contiguous from 0, for ten seconds`() {
        #expect(
            looks(nil, [(0, [1, 2]), (50, [1, 2]), (51, [0, 1]), (60, [0, 1]), (61, [0, 1])])
                == [nil, nil, nil, nil, [0, 1]])
        // Each that is added begins the ten seconds anew.
        #expect(
            looks(nil, [(0, [0]), (9, [0, 1]), (18, [0, 1, 2]), (27, [0, 1, 2]), (28, [0, 1, 2])])
                == [nil, nil, nil, nil, [0, 1, 2]])
    }

    @Test func `auto: a gap takes nothing from those above it, and the pool shrinks from its end`() {
        let whole: Set<Int32> = [0, 1, 2, 3]
        #expect(
            looks(nil, [(0, whole), (10, whole), (11, [0, 2, 3]), (100, [0, 2, 3]), (101, whole)])
                == [nil, [0, 1, 2, 3], [0, 2, 3], [0, 2, 3], [0, 1, 2, 3]])
        var membership = PoolMembership(size: nil, since: Self.start)
        for second in [0, 10] { _ = membership.look(whole, at: Self.start + .seconds(second)) }
        #expect(membership.completeSize == 4 && membership.isComplete(whole) && !membership.isComplete([0, 1, 2]))
        #expect(membership.look([0, 1], at: Self.start + .seconds(20)) == [0, 1])
        #expect(membership.completeSize == 4)
        #expect(membership.look([0, 1], at: Self.start + .seconds(30)) == [0, 1])
        #expect(membership.completeSize == 2 && membership.isComplete([0, 1]))
        // And grows when the next has been there for ten seconds.
        #expect(membership.look([0, 1, 2], at: Self.start + .seconds(40)) == [0, 1])
        #expect(membership.look([0, 1, 2], at: Self.start + .seconds(50)) == [0, 1, 2])
    }

    @Test func `auto: after an outage the first to come back is not given everything`() {
        let whole: Set<Int32> = [0, 1, 2]
        #expect(
            looks(nil, [(0, whole), (10, whole), (20, []), (30, [0]), (45, [0]), (46, whole), (56, whole)])
                == [nil, [0, 1, 2], nil, nil, nil, nil, [0, 1, 2]])
        #expect(
            looks(nil, [(0, whole), (10, whole), (20, []), (30, [0]), (60, [0])]) == [nil, [0, 1, 2], nil, nil, [0]])
    }
}
