import EventLoop
import Jobs
import Postgres
import TestKit
import Testing

/// The connection breaks between the commit of a job and its acknowledgement.
@Suite struct InsertJobsTests {
    private let job = NewJob(type: "work")

    /// A process that reaches PostgreSQL by way of a proxy, after its first job.
    private func useProxy(
        waitTimeout: Duration, _ body: @Sendable (FaultyProxy, JobStore, JobsDatabase) async throws -> Void
    ) async throws {
        try await JobsDatabase.use { jobs in
            let database = jobs.database
            let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
            defer { proxy.close() }
            var options = DatabasePool.Options(size: 1)
            options.waitTimeout = waitTimeout
            options.reconnectPauseMax = .milliseconds(50)
            let settings = try DatabaseSettings(url: database.server.tcpURL(database: database.name, port: proxy.port))
            let pool = DatabasePool(settings, profile: .hot, options: options, on: TestLoop.shared)
            defer { pool.close() }
            let store = JobStore(hot: pool, general: jobs.general, bands: BandDirectory(), notifier: nil)
            _ = try await store.insert(job)
            try await body(proxy, store, jobs)
        }
    }

    @Test func `a job that may exist is not said to be missing when PostgreSQL stays away`() async throws {
        try await useProxy(waitTimeout: .milliseconds(300)) { proxy, store, jobs in
            proxy.fault = .cutAnswers(afterBytes: 0)
            let error = await #expect(throws: PostgresError.self) { try await store.insert(job) }
            #expect(error?.isOutcomeUnknown == true)
            let count = try await jobs.number("SELECT count(*) FROM job")
            #expect(count == 2)
        }
    }

    @Test func `a job that may exist is found, and not made twice, when PostgreSQL comes back`() async throws {
        try await useProxy(waitTimeout: .seconds(20)) { proxy, store, jobs in
            proxy.fault = .cutAnswers(afterBytes: 0)
            async let inserted = store.insert(job)
            while try await jobs.number("SELECT count(*) FROM job") < 2 {
                try await TestLoop.shared.sleep(for: .milliseconds(5))
            }
            proxy.fault = .none
            let id = try await inserted.id
            #expect(try await jobs.ids("SELECT id FROM job").contains(id))
            #expect(try await jobs.number("SELECT count(*) FROM job") == 2)
            #expect(try await jobs.countMismatches() == 0)
        }
    }
}
