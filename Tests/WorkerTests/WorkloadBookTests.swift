import EventLoop
import Pools
import Testing

@testable import Worker

/// A lease lasts 30 s here: it is renewed at 10, asked to stop at 22 (its grace is 5), killed at 27.
@Suite struct WorkloadBookTests {
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func at(_ seconds: Double) -> MonotonicInstant { Self.start + .seconds(seconds) }

    private func lease(_ name: String, _ token: Int64 = 1) -> WorkloadLease { WorkloadLease(name: name, token: token) }

    private func book(_ leases: WorkloadLease..., grace: Double = 5) -> WorkloadBook {
        var book = WorkloadBook()
        _ = book.granted(leases, sentAt: Self.start, duration: .seconds(30), grace: .seconds(grace))
        return book
    }

    private func view(
        _ entries: [PoolView.Entry], isMember: Bool = true, renewed: [WorkloadLease] = []
    ) -> PoolView {
        PoolView(isMember: isMember, handler: "h", version: 1, entries: entries, renewed: renewed)
    }

    @Test func `what is its own and free is taken, and of the others the first that may be free is known`() {
        var book = WorkloadBook()
        let steps = book.see(
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
        var book = book(lease("a"), lease("b"))
        let renewed = [lease("a"), lease("b")]
        let steps = book.see(
            view(
                [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                renewed: renewed),
            asked: renewed, sentAt: at(1))
        #expect(steps.stop == ["a"] && steps.acquire.isEmpty && steps.strays.isEmpty)
        // Until it has ended, the lease is renewed, and it is asked once.
        #expect(Set(book.leases) == Set(renewed) && book.ended.isEmpty)
        let again = book.see(
            view(
                [.init(name: "a", isOwn: false, heldToken: 1), .init(name: "b", isOwn: true, heldToken: 1)],
                renewed: renewed),
            asked: renewed, sentAt: at(2))
        #expect(again == WorkloadBook.Steps())
        book.ended(lease("a"))
        #expect(book.ended == [lease("a")] && book.leases == [lease("b")])
        book.released([lease("a")])
        #expect(Set(book.held.keys) == ["b"])
    }

    @Test func `what comes back while it stops is taken when it has ended`() {
        var book = book(lease("a"))
        _ = book.see(
            view([.init(name: "a", isOwn: false, heldToken: 1)], renewed: [lease("a")]), asked: [lease("a")],
            sentAt: at(1))
        let own = view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        #expect(book.see(own, asked: [lease("a")], sentAt: at(2)) == WorkloadBook.Steps())
        book.ended(lease("a"))
        book.released([lease("a")])
        #expect(book.see(view([.init(name: "a", isOwn: true)]), asked: [], sentAt: at(3)).acquire == ["a"])
    }

    @Test func `a lease that was not renewed is lost: it is killed, once`() {
        var book = book(lease("a"), lease("b"))
        let steps = book.see(
            view([.init(name: "b", isOwn: true, heldToken: 1)], renewed: [lease("b")]),
            asked: [lease("a"), lease("b")],
            sentAt: at(10))
        #expect(steps.kill == ["a"] && steps.stop.isEmpty)
        #expect(book.due(at: at(39)).kill == ["b"])
        #expect(book.due(at: at(40)) == WorkloadBook.Steps())
    }

    @Test func `an answer to a renewal of before the lease says nothing of it`() {
        var book = book(lease("a", 2))
        let steps = book.see(view([.init(name: "a", isOwn: true, heldToken: 2)]), asked: [lease("a", 1)], sentAt: at(1))
        #expect(steps == WorkloadBook.Steps())
        book.ended(lease("a", 1))
        book.released([lease("a", 1)])
        #expect(book.leases == [lease("a", 2)])
    }

    @Test(arguments: [(5.0, 22.0), (0, 27), (3_600, 17)])
    func `without renewals it is asked to stop, then killed, before the lease ends`(grace: Double, asked: Double) {
        var book = book(lease("a"), grace: grace)
        #expect(book.due(at: at(asked - 0.1)) == WorkloadBook.Steps())
        #expect(book.mayStart(lease("a"), at: at(asked - 0.1)))
        let first = book.due(at: at(asked))
        #expect(first.stop == (grace == 0 ? [] : ["a"]) && first.kill == (grace == 0 ? ["a"] : []))
        #expect(!book.mayStart(lease("a"), at: at(asked)))
        if grace > 0 {
            #expect(book.due(at: at(26.9)) == WorkloadBook.Steps())
            #expect(book.due(at: at(27)).kill == ["a"])
        }
        #expect(book.held["a"].map { $0.guardAt > at(27) && $0.guardAt < at(30) } == true)
    }

    @Test func `a renewal counts from before it was sent`() {
        var book = book(lease("a"))
        let own = view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("a")])
        _ = book.see(own, asked: [lease("a")], sentAt: at(10))
        #expect(book.due(at: at(31.9)) == WorkloadBook.Steps())
        #expect(book.due(at: at(32)).stop == ["a"])
    }

    @Test func `who is no member any more stops everything, and takes nothing`() {
        var book = book(lease("a"))
        let steps = book.see(
            view(
                [.init(name: "a", isOwn: true, heldToken: 1), .init(name: "b", isOwn: true)], isMember: false,
                renewed: [lease("a")]), asked: [lease("a")], sentAt: at(1))
        #expect(steps.stop == ["a"] && steps.acquire.isEmpty)
    }

    @Test func `who leaves stops everything, and what is given to it then is given back`() {
        var book = book(lease("a"), lease("b"), lease("moved"))
        book.ended(lease("b"))
        _ = book.see(
            view([.init(name: "a", isOwn: true, heldToken: 1)], renewed: [lease("moved")]), asked: [lease("moved")],
            sentAt: at(1))
        #expect(book.held["moved"]?.phase == .stopping)
        #expect(book.leave() == ["a", "moved"])
        #expect(book.granted([lease("c")], sentAt: at(1), duration: .seconds(30), grace: .zero).isEmpty)
        #expect(Set(book.ended.map(\.name)) == ["b", "c"])
        #expect(!book.mayStart(lease("a"), at: at(1)))
        #expect(book.see(view([.init(name: "d", isOwn: true)]), asked: [], sentAt: at(2)).acquire.isEmpty)
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
