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
        tracker.add(jobs, requested: 10, sentAt: instant, leaseDuration: .seconds(300), now: instant)
    }

    @Test func `jobs start in lease order, one for each slot`() {
        var tracker = tracker()
        #expect(add([job(1), job(2), job(3)], to: &tracker, at: start) == 2)
        #expect(tracker.startNext(now: start)?.job.id == job(1).id)
        #expect(tracker.startNext(now: start)?.job.id == job(2).id)
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start)?.job.id == job(3).id)
        _ = tracker.handlerEnded(job(2).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.activeSlots == 1)
    }

    @Test func `a lease is renewed after a third of its duration, and its job is cancelled before its end`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        let attempt = tracker.startNext(now: start)
        #expect(tracker.due(at: start + .seconds(99)).renewals.isEmpty)
        #expect(tracker.due(at: start + .seconds(100)).renewals == [job(1).lease])
        #expect(tracker.due(at: start + .seconds(269)).cancellations.isEmpty)
        for (cancellation, reason) in tracker.due(at: start + .seconds(270)).cancellations {
            cancellation.request(reason)
        }
        #expect(attempt?.cancellation.reason == .leaseLost)
        #expect(tracker.due(at: start + .seconds(299)).renewals.isEmpty)
    }

    @Test func `a renewed lease lasts from the instant before the renewal was sent`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        let sent = start + .seconds(100)
        #expect(tracker.applyRenewal(of: [job(1).lease], held: [job(1).lease], sentAt: sent).isEmpty)
        #expect(tracker.due(at: sent + .seconds(99)).renewals.isEmpty)
        #expect(tracker.due(at: sent + .seconds(100)).renewals == [job(1).lease])
    }

    @Test func `a lease missing from a renewal is lost, unless its attempt has ended`() {
        var tracker = tracker()
        add([job(1), job(2)], to: &tracker, at: start)
        let first = tracker.startNext(now: start)
        _ = tracker.startNext(now: start)
        _ = tracker.handlerEnded(job(2).lease, now: start)
        let lost = tracker.applyRenewal(of: [job(1).lease, job(2).lease], held: [], sentAt: start)
        #expect(lost.count == 1 && lost.first === first?.cancellation)
    }

    @Test func `a lost lease stays lost when its job is leased again`() {
        var tracker = tracker()
        add([job(1, token: 1), job(1, token: 2)], to: &tracker, at: start)
        let lost = tracker.startNext(now: start)
        let current = tracker.startNext(now: start)
        let requested = [job(1, token: 1).lease, job(1, token: 2).lease]
        for cancellation in tracker.applyRenewal(of: requested, held: [requested[1]], sentAt: start) {
            cancellation.request(.leaseLost)
        }
        #expect(lost?.cancellation.reason == .leaseLost)
        #expect(current?.cancellation.reason == nil)
    }

    @Test func `a cancel request cancels the running attempt`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let (cancellations, unstarted) = tracker.cancel([
            CancelRequest(lease: job(1).lease, graceSeconds: 7), CancelRequest(lease: job(9).lease, graceSeconds: 7),
        ])
        #expect(cancellations.map(\.1) == [.cancelled(grace: .seconds(7))])
        #expect(unstarted.isEmpty)
    }

    @Test func `a deadline starts with the attempt, not with the lease`() {
        var tracker = tracker(concurrency: 1)
        add([job(1, timeout: 5), job(2, timeout: 0)], to: &tracker, at: start)
        let startedAt = start + .milliseconds(500)
        _ = tracker.startNext(now: startedAt)
        #expect(tracker.due(at: startedAt + .seconds(4)).cancellations.isEmpty)
        #expect(tracker.due(at: startedAt + .seconds(5)).cancellations.map(\.1) == [.deadline])
        _ = tracker.handlerEnded(job(1).lease, now: startedAt + .seconds(5))
        _ = tracker.startNext(now: startedAt + .seconds(5))
        #expect(tracker.due(at: startedAt + .seconds(100)).cancellations.isEmpty)
    }

    @Test func `a lost attempt and a new attempt of the same job are independent`() {
        var tracker = tracker()
        add([job(1, token: 1)], to: &tracker, at: start)
        let lost = tracker.startNext(now: start)
        lost?.cancellation.request(.leaseLost)
        add([job(1, token: 2)], to: &tracker, at: start)
        let current = tracker.startNext(now: start)
        #expect(current?.job.token == 2)
        #expect(current?.cancellation.reason == nil)
        _ = tracker.handlerEnded(job(1, token: 1).lease, now: start)
        tracker.remove(job(1, token: 1).lease)
        #expect(tracker.count == 1)
        #expect(tracker.leaseEnd(of: job(1, token: 2).lease) == start + .seconds(300))
    }

    @Test func `a job that waits for a slot for more than a second is released`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        #expect(tracker.releaseStale(now: start + .seconds(1)).isEmpty)
        #expect(tracker.releaseStale(now: start + .milliseconds(1_001)).map(\.id) == [job(2).id])
        // It does not start any more.
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start + .seconds(2)) == nil)
    }

    @Test func `draining starts no further job and releases the waiting ones`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        tracker.beginDraining()
        #expect(tracker.release { _ in true }.map(\.id) == [job(2).id])
        #expect(tracker.running.count == 1)
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
    }

    @Test func `a job that lost its lease while waiting does not start`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        for cancellation in tracker.applyRenewal(of: [job(2).lease], held: [], sentAt: start) {
            cancellation.request(.leaseLost)
        }
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.takeLost().map(\.id) == [job(2).id])
        #expect(tracker.takeLost().isEmpty)
    }

    @Test func `after a suspension, a job whose lease is over does not start`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let woken = start + .seconds(270)
        _ = tracker.handlerEnded(job(1).lease, now: woken)
        #expect(tracker.startNext(now: woken) == nil)
        #expect(tracker.takeLost().map(\.id) == [job(2).id])
    }

    @Test func `a cancelled job without a slot is released and never starts`() {
        var tracker = tracker(concurrency: 1)
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        let request = CancelRequest(lease: job(2).lease, graceSeconds: 10)
        let (cancellations, unstarted) = tracker.cancel([request])
        #expect(cancellations.isEmpty)
        #expect(unstarted.map(\.id) == [job(2).id])
        #expect(tracker.cancel([request]).unstarted.isEmpty)
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.count == 2)
    }

    @Test func `a cancel request for an ended attempt changes nothing`() {
        var tracker = tracker()
        add([job(1)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        _ = tracker.handlerEnded(job(1).lease, now: start)
        let (cancellations, unstarted) = tracker.cancel([CancelRequest(lease: job(1).lease, graceSeconds: 10)])
        #expect(cancellations.isEmpty && unstarted.isEmpty)
    }
}

@Suite struct CancellationTests {
    @Test func `the first reason decides, but a lost lease overrides it`() {
        let cancellation = Cancellation()
        cancellation.request(.shutdown)
        cancellation.request(.deadline)
        #expect(cancellation.reason == .shutdown)
        cancellation.request(.leaseLost)
        #expect(cancellation.reason == .leaseLost)
    }

    @Test func `the callback gets each reason once, including later ones`() {
        let cancellation = Cancellation()
        let reasons = Mutex<[Cancellation.Reason]>([])
        cancellation.onRequest { reason in reasons.withLock { $0.append(reason) } }
        for reason in [.cancelled(grace: .seconds(60)), .shutdown, .shutdown, .leaseLost] as [Cancellation.Reason] {
            cancellation.request(reason)
        }
        #expect(reasons.withLock { $0 } == [.cancelled(grace: .seconds(60)), .shutdown, .leaseLost])
    }

    @Test func `a callback added after the request is called at once`() async {
        let cancellation = Cancellation()
        cancellation.request(.deadline)
        await confirmation { called in
            cancellation.onRequest { reason in
                #expect(reason == .deadline)
                called()
            }
        }
    }
}
