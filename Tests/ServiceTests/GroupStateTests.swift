import Testing
import Values

@testable import Service

/// The decisions of a service group, without services and without time.
@Suite struct GroupStateTests {
    private typealias Action = GroupState.Action

    private let limits = DrainLimits(grace: .seconds(60), settling: .seconds(10), hurriedGrace: .seconds(1))

    private func at(_ seconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
    }

    private func group(_ count: Int, _ limits: DrainLimits? = nil, interrupted: Int32 = 0) -> GroupState {
        GroupState(count: count, limits: limits ?? self.limits, interruptedStatus: interrupted)
    }

    /// With all services started, at 0 s.
    private func running(_ count: Int, _ limits: DrainLimits? = nil, interrupted: Int32 = 0) -> GroupState {
        var group = group(count, limits, interrupted: interrupted)
        _ = group.begin()
        for _ in 0..<count { _ = group.startEnded(succeeded: true, at: at(0)) }
        return group
    }

    // MARK: Order

    @Test func `services start one after the other, and the last one is announced`() {
        var group = group(3)
        #expect(group.begin() == [.start(0)])
        #expect(group.startEnded(succeeded: true, at: at(0)) == [.start(1)])
        #expect(group.startEnded(succeeded: true, at: at(0)) == [.start(2)])
        #expect(group.startEnded(succeeded: true, at: at(0)) == [.announce])
        #expect(group.phase == .running)
    }

    @Test func `the first signal drains all services, then stops them in reverse`() {
        var group = running(3)
        let actions = group.signalled(at: at(100))
        #expect(actions == [.drain(0..<3, graceEnd: at(160)), .wakeAt(at(170)), .stop(2)])
        #expect(group.stopEnded() == [.stop(1)])
        #expect(group.stopEnded() == [.stop(0)])
        #expect(group.stopEnded() == [.end(0)])
        #expect(group.phase == .stopped)
        // Nothing follows.
        #expect(group.signalled(at: at(101)).isEmpty && group.stopEnded().isEmpty)
        #expect(group.deadlinePassed(at: at(170)).isEmpty && group.finished(status: 1, at: at(171)).isEmpty)
    }

    @Test func `a group of no services runs and ends`() {
        var group = group(0)
        #expect(group.begin() == [.announce])
        #expect(group.signalled(at: at(0)).last == .end(0))
    }

    @Test func `events that belong to another phase change nothing`() {
        var group = group(2)
        #expect(group.signalled(at: at(0)).isEmpty && group.stopEnded().isEmpty)
        _ = group.begin()
        #expect(group.stopEnded().isEmpty && group.deadlinePassed(at: at(1_000)).isEmpty)
        #expect(group.phase == .starting(0))
        group = running(2)
        #expect(group.startEnded(succeeded: true, at: at(0)).isEmpty && group.phase == .running)
    }

    // MARK: Starting

    @Test(arguments: [0, 1, 2])
    func `a service that fails to start ends the process, after those before it have stopped`(failing: Int) {
        var group = group(3)
        _ = group.begin()
        for _ in 0..<failing { _ = group.startEnded(succeeded: true, at: at(0)) }
        var actions = group.startEnded(succeeded: false, at: at(5))
        #expect(actions.first == .drain(0..<failing, graceEnd: at(65)))
        for index in (0..<failing).reversed() {
            #expect(actions.last == .stop(index))
            actions = group.stopEnded()
        }
        #expect(actions.last == .end(1))
    }

    @Test(arguments: [true, false])
    func `a signal during the start cancels it, and stops what has started`(succeeded: Bool) {
        var group = group(3)
        _ = group.begin()
        _ = group.startEnded(succeeded: true, at: at(0))
        let actions = group.signalled(at: at(10))
        #expect(actions == [.drain(0..<1, graceEnd: at(70)), .wakeAt(at(80)), .cancelStart])
        #expect(group.phase == .abandoning(1))
        let next = group.startEnded(succeeded: succeeded, at: at(11))
        // One that has started in spite of it has missed the beginning of the drain.
        let expected: [Action] = succeeded ? [.drain(1..<2, graceEnd: at(70)), .stop(1)] : [.stop(0)]
        #expect(next == expected)
        if succeeded { #expect(group.stopEnded() == [.stop(0)]) }
        #expect(group.stopEnded() == [.end(0)])
    }

    @Test func `a start that does not return is left behind at the deadline`() {
        var group = group(2)
        _ = group.begin()
        _ = group.signalled(at: at(0))
        #expect(group.signalled(at: at(5)) == [.hurry(0..<0, graceEnd: at(6)), .wakeAt(at(16))])
        #expect(group.deadlinePassed(at: at(16)) == [.cancelStops, .wakeAt(at(17))])
        #expect(group.deadlinePassed(at: at(17)) == [.end(0)])
        #expect(group.startEnded(succeeded: true, at: at(18)).isEmpty)
    }

    // MARK: Signals

    @Test func `a second signal shortens the grace to one second, and a third changes nothing`() {
        var group = running(3)
        _ = group.signalled(at: at(0))
        _ = group.stopEnded()
        #expect(group.signalled(at: at(10)) == [.hurry(0..<2, graceEnd: at(11)), .wakeAt(at(21))])
        #expect(group.signalled(at: at(10)).isEmpty && group.signalled(at: at(12)).isEmpty)
        // The instant from before has no effect any more than the new one has too early.
        #expect(group.deadlinePassed(at: at(20)).isEmpty)
        #expect(group.deadlinePassed(at: at(21)).first == .cancelStops)
    }

    @Test func `a second signal leaves nothing of the grace where running work is stopped at once`() {
        var group = running(1, DrainLimits(grace: .seconds(55), settling: .seconds(10), hurriedGrace: .zero))
        _ = group.signalled(at: at(0))
        #expect(group.signalled(at: at(3)) == [.hurry(0..<1, graceEnd: at(3)), .wakeAt(at(13))])
    }

    @Test func `a second signal after the grace leaves the settling time as it is`() {
        var group = running(1)
        _ = group.signalled(at: at(0))
        #expect(group.signalled(at: at(60)).isEmpty)
        #expect(group.deadlinePassed(at: at(69)).isEmpty)
        #expect(!group.deadlinePassed(at: at(70)).isEmpty)
    }

    // MARK: The deadline

    @Test func `at the deadline stops are cancelled and go on, for one second`() {
        var group = running(3)
        _ = group.signalled(at: at(0))
        #expect(group.deadlinePassed(at: at(70)) == [.cancelStops, .wakeAt(at(71))])
        #expect(group.stopEnded() == [.stop(1)])
        #expect(group.signalled(at: at(70)).isEmpty)
        #expect(group.deadlinePassed(at: at(70)).isEmpty)
        #expect(group.deadlinePassed(at: at(71)) == [.end(0)])
        #expect(group.stopEnded().isEmpty)
    }

    @Test func `services that stop in time after the deadline end the process in order`() {
        var group = running(2)
        _ = group.signalled(at: at(0))
        _ = group.deadlinePassed(at: at(70))
        #expect(group.stopEnded() == [.stop(0)])
        #expect(group.stopEnded() == [.end(0)])
    }

    // MARK: Commands

    @Test func `the result of a command ends the process with its status`() {
        var group = running(2, interrupted: 1)
        #expect(group.finished(status: 2, at: at(3)).last == .stop(1))
        _ = group.stopEnded()
        #expect(group.stopEnded() == [.end(2)])
    }

    @Test func `a command whose result comes before its start has returned keeps it`() {
        var group = group(1, interrupted: 1)
        _ = group.begin()
        #expect(group.finished(status: 0, at: at(3)).last == .cancelStart)
        #expect(group.startEnded(succeeded: true, at: at(3)).last == .stop(0))
        #expect(group.stopEnded() == [.end(0)])
    }

    @Test func `a command that is interrupted fails, unless its result still comes`() {
        var group = running(1, interrupted: 1)
        _ = group.signalled(at: at(0))
        #expect(group.stopEnded() == [.end(1)])
        group = running(1, interrupted: 1)
        _ = group.signalled(at: at(0))
        #expect(group.finished(status: 0, at: at(1)).isEmpty)
        #expect(group.stopEnded() == [.end(0)])
    }
}
