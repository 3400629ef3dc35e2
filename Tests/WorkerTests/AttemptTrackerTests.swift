import EventLoop
import Jobs
import Postgres
import Synchronization
import Testing
import Values

@testable import Worker

@Suite struct AttemptTrackerTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func job(_ number: UInt64, token: Int64 = 1, timeout: Int32 = 300) -> LeasedJob {
        LeasedJob(
            id: UUID(high: 0, low: number), type: "t", typeID: 1, queue: "default", payload: [], attempt: 1,
            maxAttempts: 25, token: token, timeoutSeconds: timeout, traceParent: nil, waitSeconds: 0)
    }

    private func tracker(concurrency: Int = 2) -> AttemptTracker {
        AttemptTracker(plan: LeasePlan(concurrency: concurrency, batchSize: 10, batchMax: 100))
    }

    /// Adds jobs with leases of 300 s.
    @discardableResult
    private func add(_ jobs: [LeasedJob], to tracker: inout AttemptTracker, at instant: MonotonicInstant) -> Int {
        tracker.add(jobs, asked: 10, sentAt: instant, leaseDuration: .seconds(300), now: instant)
    }

    @Test func `jobs start in the order in which they were leased, one for each slot`() {
        var tracker = tracker()
        #expect(add([job(1), job(2), job(3)], to: &tracker, at: start) == 2)
        #expect(tracker.startNext(now: start)?.job.id == job(1).id)
        #expect(tracker.startNext(now: start)?.job.id == job(2).id)
        _ = tracker.ended(job(1).lease, now: start)
        #expect(tracker.startNext(now: start)?.job.id == job(3).id)
        _ = tracker.ended(job(2).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.activeSlots == 1)
    }

    @Test func `a lease is renewed after a third, and its job stopped before the end`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        let attempt = tracker.startNext(now: start)
        #expect(tracker.due(at: start + .seconds(99)).renewals.isEmpty)
        #expect(tracker.due(at: start + .seconds(100)).renewals == [job(1).lease])
        #expect(tracker.due(at: start + .seconds(269)).stops.isEmpty)
        for (stop, reason) in tracker.due(at: start + .seconds(270)).stops { stop.request(reason) }
        #expect(attempt?.stop.reason == .leaseLost)
        #expect(tracker.due(at: start + .seconds(299)).renewals.isEmpty)
    }

    @Test func `a renewal counts from the instant at which it was sent`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        let sent = start + .seconds(100)
        #expect(tracker.renewed([job(1).lease], held: [job(1).lease], sentAt: sent).isEmpty)
        #expect(tracker.due(at: sent + .seconds(99)).renewals.isEmpty)
        #expect(tracker.due(at: sent + .seconds(100)).renewals == [job(1).lease])
    }

    @Test func `a lease that is not renewed is lost, but not when its attempt has ended meanwhile`() {
        var tracker = tracker()
        add([job(1), job(2)], to: &tracker, at: start)
        let first = tracker.startNext(now: start)
        _ = tracker.startNext(now: start)
        _ = tracker.ended(job(2).lease, now: start)
        let lost = tracker.renewed([job(1).lease, job(2).lease], held: [], sentAt: start)
        #expect(lost.count == 1 && lost.first === first?.stop)
    }

    @Test func `a lost lease does not live on by the lease under which its job was leased again`() {
        var tracker = tracker()
        add([job(1, token: 1), job(1, token: 2)], to: &tracker, at: start)
        let lost = tracker.startNext(now: start)
        let current = tracker.startNext(now: start)
        let asked = [job(1, token: 1).lease, job(1, token: 2).lease]
        for stop in tracker.renewed(asked, held: [asked[1]], sentAt: start) { stop.request(.leaseLost) }
        #expect(lost?.stop.reason == .leaseLost)
        #expect(current?.stop.reason == nil)
    }

    @Test func `a job that a person wants to end is stopped`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let (stops, unstarted) = tracker.cancel([
            CancelRequest(lease: job(1).lease, graceSeconds: 7), CancelRequest(lease: job(9).lease, graceSeconds: 7),
        ])
        #expect(stops.map(\.1) == [.cancelled(grace: .seconds(7))])
        #expect(unstarted.isEmpty)
    }

    @Test func `a deadline runs from the start of the attempt, not from its lease`() {
        var tracker = tracker(concurrency: 1)
        add([job(1, timeout: 5), job(2, timeout: 0)], to: &tracker, at: start)
        let begun = start + .milliseconds(500)
        _ = tracker.startNext(now: begun)
        #expect(tracker.due(at: begun + .seconds(4)).stops.isEmpty)
        #expect(tracker.due(at: begun + .seconds(5)).stops.map(\.1) == [.deadline])
        _ = tracker.ended(job(1).lease, now: begun + .seconds(5))
        _ = tracker.startNext(now: begun + .seconds(5))
        #expect(tracker.due(at: begun + .seconds(100)).stops.isEmpty)
    }

    @Test func `the lost attempt and the new one of a job are told apart`() {
        var tracker = tracker()
        add([job(1, token: 1)], to: &tracker, at: start)
        let lost = tracker.startNext(now: start)
        lost?.stop.request(.leaseLost)
        add([job(1, token: 2)], to: &tracker, at: start)
        let current = tracker.startNext(now: start)
        #expect(current?.job.token == 2)
        #expect(current?.stop.reason == nil)
        _ = tracker.ended(job(1, token: 1).lease, now: start)
        tracker.forget(job(1, token: 1).lease)
        #expect(tracker.count == 1)
        #expect(tracker.end(of: job(1, token: 2).lease) == start + .seconds(300))
    }

    @Test func `what waits for a slot for longer than a second is given back`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        #expect(tracker.releaseStale(now: start + .seconds(1)).isEmpty)
        #expect(tracker.releaseStale(now: start + .milliseconds(1_001)).map(\.id) == [job(2).id])
        // It is not started any more.
        _ = tracker.ended(job(1).lease, now: start)
        #expect(tracker.startNext(now: start + .seconds(2)) == nil)
    }

    @Test func `draining starts nothing more and gives back what has not begun`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        tracker.beginDraining()
        #expect(tracker.release { _ in true }.map(\.id) == [job(2).id])
        #expect(tracker.running.count == 1)
        _ = tracker.ended(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
    }

    @Test func `a job whose lease was lost while it waited is not started`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        for stop in tracker.renewed([job(2).lease], held: [], sentAt: start) { stop.request(.leaseLost) }
        _ = tracker.ended(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.takeLost().map(\.id) == [job(2).id])
        #expect(tracker.takeLost().isEmpty)
    }

    @Test func `a worker that was frozen starts nothing whose lease has run out unnoticed`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let woken = start + .seconds(270)
        _ = tracker.ended(job(1).lease, now: woken)
        #expect(tracker.startNext(now: woken) == nil)
        #expect(tracker.takeLost().map(\.id) == [job(2).id])
    }

    @Test func `a job that is to stop before it has begun is given up at once, and never started`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let order = CancelRequest(lease: job(2).lease, graceSeconds: 10)
        let (stops, unstarted) = tracker.cancel([order])
        #expect(stops.isEmpty)
        #expect(unstarted.map(\.id) == [job(2).id])
        #expect(tracker.cancel([order]).unstarted.isEmpty)
        _ = tracker.ended(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.count == 2)
    }

    @Test func `a job that has ended here is not stopped any more`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        _ = tracker.ended(job(1).lease, now: start)
        let (stops, unstarted) = tracker.cancel([CancelRequest(lease: job(1).lease, graceSeconds: 10)])
        #expect(stops.isEmpty && unstarted.isEmpty)
    }
}

@Suite struct CancellationTests {
    @Test func `the first reason counts, but a lost lease overrides it`() {
        let stop = Cancellation()
        stop.request(.shutdown)
        stop.request(.deadline)
        #expect(stop.reason == .shutdown)
        stop.request(.leaseLost)
        #expect(stop.reason == .leaseLost)
    }

    @Test func `each reason is told once, also those that come later`() {
        let stop = Cancellation()
        let told = Mutex<[Cancellation.Reason]>([])
        stop.onRequest { reason in told.withLock { $0.append(reason) } }
        for reason in [.cancelled(grace: .seconds(60)), .shutdown, .shutdown, .leaseLost] as [Cancellation.Reason] {
            stop.request(reason)
        }
        #expect(told.withLock { $0 } == [.cancelled(grace: .seconds(60)), .shutdown, .leaseLost])
    }

    @Test func `whoever listens late is told at once`() async {
        let stop = Cancellation()
        stop.request(.deadline)
        await confirmation { told in
            stop.onRequest { reason in
                #expect(reason == .deadline)
                told()
            }
        }
    }
}
