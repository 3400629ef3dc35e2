import EventLoop
import Pools
import Testing
import Values

@testable import Worker

/// A lease lasts 30 s here: it is renewed at 10, asked to stop at 22 (its grace is 5), killed at 27.
@Suite struct WorkloadTrackerTests {
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func at(_ seconds: Double) -> MonotonicInstant { Self.start + .seconds(seconds) }

    private func lease(_ name: String, _ token: Int64 = 1) -> WorkloadLease { WorkloadLease(name: name, token: token) }

    private func tracker(_ leases: WorkloadLease..., grace: Double = 5) -> WorkloadTracker {
        var tracker = WorkloadTracker()
        _ = tracker.granted(leases, sentAt: Self.start, duration: .seconds(30), grace: .seconds(grace))
        return tracker
    }

    private func view(
        _ entries: [PoolView.Entry], isMember: Bool = true, renewed: [WorkloadLease] = []
    ) -> PoolView {
        PoolView(isMember: isMember, handler: "h", version: 1, entries: entries, renewed: renewed)
    }

    @Test func `what is its own and free is taken, and of the others the first that may be free is known`() {
        var tracker = WorkloadTracker()
        let steps = tracker.see(
            view([
                .init(name: "free", isOwn: true), .init(name: "late", isOwn: true, othersRemaining: .seconds(9)),
                .init(name: "soon", isOwn: true, othersRemaining: .seconds(2)),
                .init(name: "answer lost", isOwn: true, heldToken: 7), .init(name: "stray", isOwn: false, heldToken: 8),
            ]), asked: [], sentAt: Self.start)
        #expect(steps.acquire == ["free", "answer lost"])
        #expect(steps.nextFree == .seconds(2))
        #expect(steps.strays == [lease("stray", 8)])
        #expect(steps.stop.isEmpty && steps.kill.isEmpty)
    }

    @Test func `what is another's now stops, and is given back when it has ended`() {
        var tracker = tracker(lease("a"), lease("b"))
        let renewed = [lease("a"), lease("b")]
        let steps = tracker.see(
            view(
                [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                renewed: renewed),
            asked: renewed, sentAt: at(1))
        #expect(steps.stop == ["a"] && steps.acquire.isEmpty && steps.strays.isEmpty)
        // Until it has ended, the lease is renewed, and it is asked once.
        #expect(Set(tracker.leases) == Set(renewed) && tracker.ended.isEmpty)
        let again = tracker.see(
            view(
                [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                renewed: renewed),
            asked: renewed, sentAt: at(2))
        #expect(again == WorkloadTracker.Steps())
        tracker.ended(lease("a"))
        #expect(tracker.ended == [lease("a")] && tracker.leases == [lease("b")])
        tracker.released([lease("a")])
        #expect(Set(tracker.held.keys) == ["b"])
    }

    @Test func `what comes back while it stops is taken when it has ended`() {
        var tracker = tracker(lease("a"))
        _ = tracker.see(
            view([.init(name: "a", isOwn: false, heldToken: 1)], renewed: [lease("a")]), asked: [lease("a")],
            sentAt: at(1))
        let own = view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        #expect(tracker.see(own, asked: [lease("a")], sentAt: at(2)) == WorkloadTracker.Steps())
        tracker.ended(lease("a"))
        tracker.released([lease("a")])
        #expect(tracker.see(view([.init(name: "a", isOwn: true)]), asked: [], sentAt: at(3)).acquire == ["a"])
    }

    @Test func `a lease that was not renewed is lost: it is killed, once`() {
        var tracker = tracker(lease("a"), lease("b"))
        let steps = tracker.see(
            view([.init(name: "b", isOwn: true, heldToken: 1)], renewed: [lease("b")]),
            asked: [lease("a"), lease("b")],
            sentAt: at(10))
        #expect(steps.kill == ["a"] && steps.stop.isEmpty)
        #expect(tracker.due(at: at(39)).kill == ["b"])
        #expect(tracker.due(at: at(40)) == WorkloadTracker.Steps())
    }

    @Test func `an answer to a renewal of before the lease says nothing of it`() {
        var tracker = tracker(lease("a", 2))
        let steps = tracker.see(
            view([.init(name: "a", isOwn: true, heldToken: 2)]), asked: [lease("a", 1)], sentAt: at(1))
        #expect(steps == WorkloadTracker.Steps())
        tracker.ended(lease("a", 1))
        tracker.released([lease("a", 1)])
        #expect(tracker.leases == [lease("a", 2)])
    }

    @Test(arguments: [(5.0, 22.0), (0, 27), (3_600, 17)])
    func `without renewals it is asked to stop, then killed, before the lease ends`(grace: Double, asked: Double) {
        var tracker = tracker(lease("a"), grace: grace)
        #expect(tracker.due(at: at(asked - 0.1)) == WorkloadTracker.Steps())
        #expect(tracker.mayStart(lease("a"), at: at(asked - 0.1)))
        let first = tracker.due(at: at(asked))
        #expect(first.stop == (grace == 0 ? [] : ["a"]) && first.kill == (grace == 0 ? ["a"] : []))
        #expect(!tracker.mayStart(lease("a"), at: at(asked)))
        if grace > 0 {
            #expect(tracker.due(at: at(26.9)) == WorkloadTracker.Steps())
            #expect(tracker.due(at: at(27)).kill == ["a"])
        }
        #expect(tracker.held["a"].map { $0.guardAt > at(27) && $0.guardAt < at(30) } == true)
    }

    @Test func `a renewal counts from before it was sent`() {
        var tracker = tracker(lease("a"))
        let own = view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        _ = tracker.see(own, asked: [lease("a")], sentAt: at(10))
        #expect(tracker.due(at: at(31.9)) == WorkloadTracker.Steps())
        #expect(tracker.due(at: at(32)).stop == ["a"])
    }

    @Test func `who is no member any more stops everything, and takes nothing`() {
        var tracker = tracker(lease("a"))
        let steps = tracker.see(
            view(
                [.init(name: "a", isOwn: true, heldToken: 1), .init(name: "b", isOwn: true)], isMember: false,
                renewed: [lease("a")]), asked: [lease("a")], sentAt: at(1))
        #expect(steps.stop == ["a"] && steps.acquire.isEmpty)
    }

    @Test func `who leaves stops everything, and what is given to it then is given back`() {
        var tracker = tracker(lease("a"), lease("b"), lease("moved"))
        tracker.ended(lease("b"))
        _ = tracker.see(
            view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("moved")]), asked: [lease("moved")],
            sentAt: at(1))
        #expect(tracker.held["moved"]?.phase == .stopping)
        #expect(tracker.leave() == ["a", "moved"])
        #expect(tracker.granted([lease("c")], sentAt: at(1), duration: .seconds(30), grace: .zero).isEmpty)
        #expect(Set(tracker.ended.map(\.name)) == ["b", "c"])
        #expect(!tracker.mayStart(lease("a"), at: at(1)))
        #expect(tracker.see(view([.init(name: "d", isOwn: true)]), asked: [], sentAt: at(2)).acquire.isEmpty)
    }
}

@Suite struct RestartPaceTests {
    @Test func `pauses double up to a minute`() {
        var pace = RestartPace()
        let pauses = (0..<9).map { _ in pace.ended(after: .seconds(1), random: 0.5) }
        #expect(pauses.map { Int($0.inSeconds.rounded()) } == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    }

    @Test func `who has run for a minute has run well`() {
        var pace = RestartPace()
        for _ in 0..<5 { _ = pace.ended(after: .seconds(59), random: 0.5) }
        #expect(pace.failures == 5)
        #expect(pace.ended(after: .seconds(60), random: 0.5) == .seconds(1))
    }

    @Test func `those that failed together come back one after the other`() {
        for random in [0.0, 0.3, 1] {
            var pace = RestartPace()
            let pause = pace.ended(after: .zero, random: random)
            #expect(pause > .seconds(0.89) && pause < .seconds(1.11))
        }
        var (early, late) = (RestartPace(), RestartPace())
        #expect(early.ended(after: .zero, random: 0) < late.ended(after: .zero, random: 1))
    }
}
