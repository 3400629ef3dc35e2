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

    private func tracker(concurrency: Int = 2, bytesMax: Int = 1_000) -> AttemptTracker {
        AttemptTracker(
            plan: LeasePlan(concurrency: concurrency, batchSize: 10, batchMax: 100),
            memory: PayloadMemory(bytesMax: bytesMax))
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

    @Test func `jobs that are leased and released while all slots are busy leave nothing in the queue`() {
        var tracker = tracker()
        add([job(1), job(2)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        _ = tracker.startNext(now: start)
        for number: UInt64 in 3..<2_000 {
            let late = start + .seconds(2 * Int(number))
            add([job(number)], to: &tracker, at: late - .seconds(2))
            for stale in tracker.releaseStale(now: late) { tracker.remove(stale.lease) }
        }
        #expect(tracker.count == 2)
        #expect(tracker.queuedCount <= 64)
        add([job(3_000)], to: &tracker, at: start)
        _ = tracker.handlerEnded(job(1).lease, now: start)
        #expect(tracker.startNext(now: start)?.job.id == job(3_000).id)
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

    // MARK: Payloads

    /// A job whose payload was left out by the lease.
    private func large(_ number: UInt64, timeout: Int32 = 300) -> LeasedJob {
        var job = job(number, timeout: timeout)
        job.hasPayload = false
        return job
    }

    private func small(_ number: UInt64, bytes: Int) -> LeasedJob {
        var job = job(number)
        job.payload = [UInt8](repeating: 0x31, count: bytes)
        return job
    }

    @Test func `a large payload is read when its attempt has a slot, and its deadline begins with its handler`() {
        var tracker = tracker()
        add([large(1, timeout: 100), large(2, timeout: 100), large(3)], to: &tracker, at: start)
        #expect(tracker.nextRead() == nil)
        #expect(tracker.startNext(now: start)?.job.id == large(1).id)
        #expect(tracker.startNext(now: start)?.job.id == large(2).id)
        let read = tracker.nextRead()
        #expect(read?.leases == [large(1).lease, large(2).lease])
        #expect(read?.bytesMax == 1_000 && read?.atLeastOne == true)
        #expect(tracker.nextRead() == nil)

        tracker.loaded(large(1).lease, bytes: 600)
        tracker.loads.finished(rest: (large(2).lease, 500))
        let later = start + .seconds(10)
        #expect(tracker.startLoaded(large(1).lease, now: later) == true)
        #expect(tracker.due(at: start + .seconds(109)).cancellations.isEmpty)
        #expect(tracker.due(at: start + .seconds(110)).cancellations.map(\.1) == [.deadline])
        // The second does not fit beside the first, and nothing is leased meanwhile.
        #expect(tracker.nextRead() == nil)
        #expect(tracker.wanted == 0)
        #expect(tracker.handlerEnded(large(1).lease, resultBytes: 400, now: later + .seconds(1)) == .seconds(1))
        // The result takes the place of the payload until it is written.
        #expect(tracker.nextRead()?.bytesMax == 600)
    }

    @Test func `results that wait to be written let no job start and none be leased`() {
        var tracker = tracker()
        add([small(1, bytes: 10), small(2, bytes: 10), small(3, bytes: 10)], to: &tracker, at: start)
        _ = tracker.startNext(now: start)
        _ = tracker.startNext(now: start)
        _ = tracker.handlerEnded(job(1).lease, resultBytes: 1_000, now: start)
        #expect(tracker.startNext(now: start) == nil)
        #expect(tracker.activeSlots == 1 && tracker.wanted == 0)
        #expect(tracker.openSlots() == 0)
        tracker.remove(job(1).lease)
        #expect(tracker.wanted > 0)
        #expect(tracker.openSlots() == 1)
        #expect(tracker.startNext(now: start)?.job.id == job(3).id)
    }

    @Test func `every job runs, one at a time, whatever the limit is`() {
        var tracker = tracker(concurrency: 3, bytesMax: 100)
        add([large(1), large(2), small(3, bytes: 90)], to: &tracker, at: start)
        for _ in 0..<3 { _ = tracker.startNext(now: start) }
        for number: UInt64 in 1...2 {
            let read = tracker.nextRead()
            #expect(read?.atLeastOne == true)
            #expect(read?.leases.first == large(number).lease)
            tracker.loaded(large(number).lease, bytes: 5_000)
            tracker.loads.finished(rest: number == 1 ? (large(2).lease, 5_000) : nil)
            #expect(tracker.startLoaded(large(number).lease, now: start) == true)
            #expect(tracker.nextRead() == nil)
            _ = tracker.handlerEnded(large(number).lease, now: start)
        }
    }

    @Test func `an attempt that waits for its payload is released, cancelled and lost like one without a slot`() {
        for end in 0..<3 {
            var tracker = tracker()
            add([large(1), large(2)], to: &tracker, at: start)
            let cancellation = tracker.startNext(now: start)?.cancellation
            switch end {
            case 0:
                let released = tracker.release { _ in true }
                #expect(released.count == 2)
            case 1:
                let request = CancelRequest(lease: large(1).lease, graceSeconds: 1)
                let unstarted = tracker.cancel([request]).unstarted
                #expect(unstarted.map(\.id) == [large(1).id])
            default: cancellation?.request(.leaseLost)
            }
            let starts = tracker.startLoaded(large(1).lease, now: start)
            #expect(!starts)
            #expect(tracker.takeLost().count == (end == 2 ? 1 : 0))
            #expect(tracker.runningCount == 0)
            #expect(tracker.nextRead() == nil)
            tracker.remove(large(1).lease)
            #expect(tracker.memory.freeBytes == 1_000)
        }
    }

    @Test func `all bytes are free when all attempts are removed`() {
        var tracker = tracker(concurrency: 4)
        let jobs = [small(1, bytes: 30), large(2), small(3, bytes: 40), large(4)]
        add(jobs, to: &tracker, at: start)
        #expect(tracker.memory.freeBytes == 930)
        for _ in jobs { _ = tracker.startNext(now: start) }
        tracker.loaded(large(2).lease, bytes: 100)
        #expect(tracker.startLoaded(large(2).lease, now: start) == true)
        #expect(tracker.memory.freeBytes == 830)
        // Removed while its payload is being read.
        tracker.remove(large(4).lease)
        tracker.loaded(large(4).lease, bytes: 100)
        let starts = tracker.startLoaded(large(4).lease, now: start)
        #expect(!starts)
        for job in jobs.prefix(3) {
            _ = tracker.handlerEnded(job.lease, resultBytes: 7, now: start)
            tracker.remove(job.lease)
        }
        #expect(tracker.memory.freeBytes == 1_000 && tracker.isEmpty)
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
