import EventLoop
import Jobs
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@testable import Worker

@Suite struct FinisherTests {
    /// The answers that a finisher has given, by lease.
    private final class Answers: Sendable {
        private let all = Mutex<[HeldLease: FinishAnswer]>([:])

        subscript(lease: HeldLease) -> FinishAnswer? { all.withLock { $0[lease] } }

        var count: Int { all.withLock { $0.count } }

        func note(_ answer: FinishAnswer, of lease: HeldLease) { all.withLock { $0[lease] = answer } }
    }

    private func finisher(_ store: JobStore) -> Finisher {
        let logger = Logger(component: "worker", level: .error, sink: CollectedLog())
        return Finisher(store: store, on: TestLoop.shared, logger: logger)
    }

    private func finish(
        _ lease: HeldLease, _ result: AttemptResult = .succeeded(result: nil), with finisher: Finisher,
        until end: MonotonicInstant? = .distantFuture, _ answers: Answers
    ) {
        finisher.finish(
            FinishedAttempt(lease: lease, result: result), until: { end }, then: { answers.note($0, of: lease) })
    }

    private func lock(_ leases: some Sequence<HeldLease>, in transaction: Transaction) async throws {
        for lease in leases {
            var parameters = Parameters()
            parameters.append(lease.id)
            parameters.append(lease.token)
            _ = try await transaction.execute(sql: "SELECT assert_lease($1, $2)", parameters)
        }
    }

    @Test func `results wait for the transactions that lock their leases, and no others wait`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(13)
            let leased = try await fixture.lease(20).map(\.held)
            let locked = leased.prefix(3)
            let answers = Answers()
            try await fixture.withStores(1) { stores in
                let finisher = finisher(stores[0])
                try await fixture.general.transaction { transaction in
                    try await lock(locked, in: transaction)
                    for lease in locked { finish(lease, with: finisher, answers) }
                    for lease in leased.dropFirst(3) {
                        finish(lease, with: finisher, answers)
                        try await waitUntil("the result is written", within: .seconds(3)) { answers[lease] != nil }
                    }
                    #expect(answers.count == 10)
                    #expect(finisher.backlog == 3)
                }
                try await waitUntil("all results are written") { answers.count == 13 }
                for lease in leased { #expect(answers[lease] == .succeeded) }
                #expect(finisher.backlog == 0)
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a result whose lease ends while it is locked is lost`() async throws {
        try await Fixture.use { fixture in
            let lease = try await fixture.leaseNew().held
            let answers = Answers()
            try await fixture.general.transaction { transaction in
                try await lock([lease], in: transaction)
                finish(lease, with: finisher(fixture.jobs), until: .now(), answers)
                try await waitUntil("the result is given up") { answers[lease] == .leaseLost }
            }
            #expect(try await fixture.count("lease") == 1)
        }
    }

    @Test(arguments: [AttemptResult.succeeded(result: nil), .retry(error: "e", afterSeconds: 60), .released])
    func `a result that was not acknowledged is no success when its lease is gone`(result: AttemptResult) async throws {
        try await Fixture.use { fixture in
            let lease = try await fixture.leaseNew().held
            let proxy = try FaultyProxy(to: .loopback(port: fixture.database.server.port))
            defer { proxy.close() }
            var options = ConnectionPool.Options(size: 1)
            options.reconnectPauseMax = .milliseconds(20)
            let url = fixture.database.server.tcpURL(database: fixture.database.name, port: proxy.port)
            let pool = ConnectionPool(
                try DatabaseSettings(url: url), profile: .hot, options: options, on: TestLoop.shared)
            defer { pool.close() }
            let store = JobStore(hot: pool, general: pool, subqueues: SubqueueDirectory())
            _ = try await store.insert(NewJob(type: "work"))
            let answers = Answers()
            proxy.fault = .cutAnswers(afterBytes: 0)
            finish(lease, result, with: finisher(store), answers)
            try await fixture.waitUntilCount(of: "lease", is: 0)
            proxy.fault = .none
            try await waitUntil("an answer") { answers[lease] != nil }
            #expect(answers[lease] == .unacknowledged)
        }
    }
}
