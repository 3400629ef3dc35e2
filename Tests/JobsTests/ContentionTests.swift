import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

/// Sixteen sessions that do everything at once to the same ten jobs.
@Suite struct ContentionTests {
    /// All results that a session received, for the comparison at the end.
    private struct Account {
        var leased: [HeldLease] = []
        var finished: [HeldLease] = []
        var succeeded: [HeldLease] = []
        var reclaimed: [HeldLease] = []
        var errors: [String] = []

        mutating func add(_ other: Account) {
            leased += other.leased
            finished += other.finished
            succeeded += other.succeeded
            reclaimed += other.reclaimed
            errors += other.errors
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `sixteen sessions on the same ten jobs have no deadlock and keep every invariant`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            let ids = try await fixture.enqueue(10) { job in
                job.backoff = .none
                job.maxAttempts = 3
            }
            // A number of calls and not a time: a slow machine is as good a witness.
            let calls = 200
            let account = try await fixture.withStores(16) { stores in
                await withTaskGroup(of: Account.self) { tasks in
                    for (index, store) in stores.enumerated() {
                        tasks.addTask {
                            var session = Session(store: store, ids: ids, seed: seed &+ UInt64(index))
                            for _ in 0..<calls { await session.act() }
                            return session.account
                        }
                    }
                    return await tasks.reduce(into: Account()) { $0.add($1) }
                }
            }
            #expect(account.errors == [])
            #expect(!account.leased.isEmpty && !account.finished.isEmpty && !account.reclaimed.isEmpty)
            expectOrder(account)
            let rows = try await fixture.count("jobs")
            #expect(rows == 10)
            #expect(try await fixture.number("SELECT count(DISTINCT id) FROM jobs") == 10)
            #expect(try await fixture.countMismatches() == 0)
            let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            #expect(try await fixture.number(deadlocks) == 0)
        }
    }

    /// Each lease is one session's, is ended at most once, and a success is the last word on its job.
    private func expectOrder(_ account: Account) {
        #expect(Set(account.leased).count == account.leased.count)
        let ended = account.finished + account.reclaimed
        #expect(Set(ended).count == ended.count)
        #expect(Set(ended).isSubset(of: account.leased))
        for success in account.succeeded {
            let later = account.leased.filter { $0.id == success.id && $0.token > success.token }
            #expect(later.isEmpty, "a job that had succeeded was leased again")
        }
    }

    private struct Session {
        let store: JobStore
        let ids: [UUID]
        var random: SeededGenerator
        var held: [HeldLease] = []
        var account = Account()

        init(store: JobStore, ids: [UUID], seed: UInt64) {
            self.store = store
            self.ids = ids
            random = SeededGenerator(seed: seed)
        }

        mutating func act() async {
            do throws(PostgresError) {
                try await actOnce()
            } catch {
                account.errors.append("\(error)")
            }
        }

        private mutating func actOnce() async throws(PostgresError) {
            let id = ids.randomElement(using: &random)!
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<30: try await lease()
            case 30..<60: try await finish()
            case 60..<70: _ = try await store.renew(ids.map { HeldLease(id: $0, token: 1) } + held, leaseSeconds: 60)
            case 70..<78: _ = try await store.cancel(id)
            case 78..<88: _ = try await store.retry(id)
            case 88..<94:
                let reclaimed = try await store.reclaimExpired(atMost: 5).leases
                account.reclaimed += reclaimed.map { HeldLease(id: $0.jobID, token: $0.token) }
            default: _ = try await store.promoteDue(atMost: 5, from: .earliest)
            }
        }

        private mutating func lease() async throws(PostgresError) {
            let seconds = Bool.random(using: &random) ? 60.0 : -1
            let count = Int.random(in: 1...4, using: &random)
            let leased = try await store.lease(
                LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: 1, leaseSeconds: seconds))
            let leases = leased.map(\.held)
            account.leased += leases
            held += leases
        }

        /// Some of the leases that it has had, lost ones among them.
        private mutating func finish() async throws(PostgresError) {
            let attempts = held.shuffled(using: &random).prefix(6).map { lease in
                FinishedAttempt(lease: lease, result: result())
            }
            for (attempt, answer) in zip(attempts, try await store.finish(attempts)) {
                if answer != .leaseLost { account.finished.append(attempt.lease) }
                if answer == .succeeded { account.succeeded.append(attempt.lease) }
            }
            held.removeAll { lease in attempts.contains { $0.lease == lease } }
        }

        private mutating func result() -> AttemptResult {
            switch Int.random(in: 0..<100, using: &random) {
            case 0: .succeeded(result: nil)
            case 1..<20: .failed(error: "e")
            case 20..<50: .retry(error: "e", afterSeconds: 0)
            case 50..<60: .retry(error: "e", afterSeconds: 0.001)
            case 60..<70: .snoozed(seconds: 0.001)
            default: .released
            }
        }
    }
}
