import EventLoop
import Pools
import Testing
import Values

@testable import Worker

/// A lease lasts 30 s here: it is renewed at 10 s, SIGTERM is sent at 22 s (the grace is 5 s) and SIGKILL at 27 s.
@Suite struct WorkloadTrackerTests {
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func at(_ seconds: Double) -> MonotonicInstant { Self.start + .seconds(seconds) }

    private func lease(_ name: String, _ token: Int64 = 1) -> WorkloadLease { WorkloadLease(name: name, token: token) }

    private func tracker(_ leases: WorkloadLease..., grace: Double = 5) -> WorkloadTracker {
        var tracker = WorkloadTracker()
        _ = tracker.add(leases, sentAt: Self.start, duration: .seconds(30), grace: .seconds(grace))
        return tracker
    }

    private func renewal(
        _ entries: [MembershipRenewal.Entry], isMember: Bool = true, renewed: [WorkloadLease] = []
    ) -> MembershipRenewal {
        MembershipRenewal(isMember: isMember, handler: "h", version: 1, entries: entries, renewed: renewed)
    }

    @Test func `free assigned workloads are acquired, and the earliest expiry of the others is known`() {
        var tracker = WorkloadTracker()
        let actions = tracker.apply(
            renewal:
                renewal([
                    .init(name: "free", isOwn: true), .init(name: "late", isOwn: true, othersRemaining: .seconds(9)),
                    .init(name: "soon", isOwn: true, othersRemaining: .seconds(2)),
                    .init(name: "answer lost", isOwn: true, heldToken: 7),
                    .init(name: "stray", isOwn: false, heldToken: 8),
                ]), of: [], sentAt: Self.start)
        #expect(actions.acquire == ["free", "answer lost"])
        #expect(actions.nextFree == .seconds(2))
        #expect(actions.release == [lease("stray", 8)])
        #expect(actions.stop.isEmpty && actions.kill.isEmpty)
    }

    @Test func `a workload of another member stops, and is released after its end`() {
        var tracker = tracker(lease("a"), lease("b"))
        let renewed = [lease("a"), lease("b")]
        let actions = tracker.apply(
            renewal:
                renewal(
                    [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                    renewed: renewed),
            of: renewed, sentAt: at(1))
        #expect(actions.stop == ["a"] && actions.acquire.isEmpty && actions.release.isEmpty)
        // Until the process has ended, the lease is renewed, and the stop is not repeated.
        #expect(Set(tracker.activeLeases) == Set(renewed) && tracker.endedLeases.isEmpty)
        let again = tracker.apply(
            renewal:
                renewal(
                    [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                    renewed: renewed),
            of: renewed, sentAt: at(2))
        #expect(again == WorkloadTracker.Actions())
        tracker.processEnded(lease("a"))
        #expect(tracker.endedLeases == [lease("a")] && tracker.activeLeases == [lease("b")])
        tracker.remove([lease("a")])
        #expect(Set(tracker.held.keys) == ["b"])
    }

    @Test func `a workload that is assigned again while it stops is acquired after its end`() {
        var tracker = tracker(lease("a"))
        _ = tracker.apply(
            renewal:
                renewal([.init(name: "a", isOwn: false, heldToken: 1)], renewed: [lease("a")]), of: [lease("a")],
            sentAt: at(1))
        let own = renewal([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        #expect(
            tracker.apply(
                renewal: own, of: [lease("a")], sentAt: at(2)) == WorkloadTracker.Actions())
        tracker.processEnded(lease("a"))
        tracker.remove([lease("a")])
        #expect(
            tracker.apply(
                renewal: renewal([.init(name: "a", isOwn: true)]), of: [], sentAt: at(3)
            ).acquire == ["a"])
    }

    @Test func `a workload whose lease was not renewed is killed once`() {
        var tracker = tracker(lease("a"), lease("b"))
        let actions = tracker.apply(
            renewal:
                renewal([.init(name: "b", isOwn: true, heldToken: 1)], renewed: [lease("b")]),
            of: [lease("a"), lease("b")],
            sentAt: at(10))
        #expect(actions.kill == ["a"] && actions.stop.isEmpty)
        #expect(tracker.due(at: at(39)).kill == ["b"])
        #expect(tracker.due(at: at(40)) == WorkloadTracker.Actions())
    }

    @Test func `a response to an earlier renewal does not affect a new lease`() {
        var tracker = tracker(lease("a", 2))
        let actions = tracker.apply(
            renewal:
                renewal([.init(name: "a", isOwn: true, heldToken: 2)]), of: [lease("a", 1)], sentAt: at(1))
        #expect(actions == WorkloadTracker.Actions())
        tracker.processEnded(lease("a", 1))
        tracker.remove([lease("a", 1)])
        #expect(tracker.activeLeases == [lease("a", 2)])
    }

    @Test(arguments: [(5.0, 22.0), (0, 27), (3_600, 17)])
    func `without renewals a workload is stopped, then killed, before its lease ends`(grace: Double, asked: Double) {
        var tracker = tracker(lease("a"), grace: grace)
        #expect(tracker.due(at: at(asked - 0.1)) == WorkloadTracker.Actions())
        #expect(tracker.mayStart(lease("a"), at: at(asked - 0.1)))
        let first = tracker.due(at: at(asked))
        #expect(first.stop == (grace == 0 ? [] : ["a"]) && first.kill == (grace == 0 ? ["a"] : []))
        #expect(!tracker.mayStart(lease("a"), at: at(asked)))
        if grace > 0 {
            #expect(tracker.due(at: at(26.9)) == WorkloadTracker.Actions())
            #expect(tracker.due(at: at(27)).kill == ["a"])
        }
        #expect(tracker.held["a"].map { $0.guardKillAt > at(27) && $0.guardKillAt < at(30) } == true)
    }

    @Test func `a renewed lease lasts from before the renewal was sent`() {
        var tracker = tracker(lease("a"))
        let own = renewal([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        _ = tracker.apply(
            renewal: own, of: [lease("a")], sentAt: at(10))
        #expect(tracker.due(at: at(31.9)) == WorkloadTracker.Actions())
        #expect(tracker.due(at: at(32)).stop == ["a"])
    }

    @Test func `after a lost membership everything stops, and nothing is acquired`() {
        var tracker = tracker(lease("a"))
        let actions = tracker.apply(
            renewal:
                renewal(
                    [.init(name: "a", isOwn: true, heldToken: 1), .init(name: "b", isOwn: true)], isMember: false,
                    renewed: [lease("a")]), of: [lease("a")], sentAt: at(1))
        #expect(actions.stop == ["a"] && actions.acquire.isEmpty)
    }

    @Test func `a leaving member stops everything, and releases what it acquires late`() {
        var tracker = tracker(lease("a"), lease("b"), lease("moved"))
        tracker.processEnded(lease("b"))
        _ = tracker.apply(
            renewal:
                renewal([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("moved")]), of: [lease("moved")],
            sentAt: at(1))
        #expect(tracker.held["moved"]?.phase == .stopping)
        #expect(tracker.leave() == ["a", "moved"])
        #expect(tracker.add([lease("c")], sentAt: at(1), duration: .seconds(30), grace: .zero).isEmpty)
        #expect(Set(tracker.endedLeases.map(\.name)) == ["b", "c"])
        #expect(!tracker.mayStart(lease("a"), at: at(1)))
        #expect(
            tracker.apply(
                renewal: renewal([.init(name: "d", isOwn: true)]), of: [], sentAt: at(2)
            ).acquire.isEmpty)
    }
}

@Suite struct RestartBackoffTests {
    @Test func `restart pauses double up to a minute`() {
        var backoff = RestartBackoff()
        let pauses = (0..<9).map { _ in backoff.ended(after: .seconds(1), random: 0.5) }
        #expect(pauses.map { Int($0.inSeconds.rounded()) } == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    }

    @Test func `a run of a minute resets the failures`() {
        var backoff = RestartBackoff()
        for _ in 0..<5 { _ = backoff.ended(after: .seconds(59), random: 0.5) }
        #expect(backoff.failures == 5)
        #expect(backoff.ended(after: .seconds(60), random: 0.5) == .seconds(1))
    }

    @Test func `the pauses of workloads that failed together differ`() {
        for random in [0.0, 0.3, 1] {
            var backoff = RestartBackoff()
            let pause = backoff.ended(after: .zero, random: random)
            #expect(pause > .seconds(0.89) && pause < .seconds(1.11))
        }
        var (early, late) = (RestartBackoff(), RestartBackoff())
        #expect(early.ended(after: .zero, random: 0) < late.ended(after: .zero, random: 1))
    }
}
