import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

@Suite struct ListJobsTests {
    /// What a list must hold, told from the view `jobs`.
    private struct Row {
        let id: UUID
        let status: String
        let queue: String
        let type: String
        let tags: [String]
        let worker: String?
    }

    private func rows(_ fixture: Fixture) async throws -> [Row] {
        try await fixture.sql(
            "SELECT id, status::text, queue, type, coalesce(tags, '{}'), worker FROM jobs ORDER BY id DESC"
        )
        .decode((UUID, String, String, String, [String], String?).self)
        .map { Row(id: $0, status: $1, queue: $2, type: $3, tags: $4, worker: $5) }
    }

    /// A list page by page, to its end.
    private func pages(_ fixture: Fixture, _ filter: JobFilter, by size: Int) async throws -> [Job] {
        var all: [Job] = []
        while true {
            let page = try await fixture.jobs.list(filter, before: all.last?.id, limit: size)
            #expect(page.count <= size)
            all += page
            if page.count < size { return all }
        }
    }

    /// Jobs in every status, of two queues, three types and two tags.
    private func fill(_ fixture: Fixture) async throws {
        let worker = try await fixture.workers.join(
            WorkerDescription(
                incarnation: UUID(high: 7, low: 7), name: "w1", host: "h", version: "1", queues: nil, concurrency: 1))
        var many: [NewJob] = []
        for number in 0..<96 {
            var job = NewJob(type: "t\(number % 3)")
            job.queue = "q\(number / 3 % 2)"
            job.priority = Int16(number / 6 % 2)
            if number % 5 == 0 { job.tags.append("five") }
            if number % 4 == 0 { job.tags.append("four") }
            if number % 12 == 7 { job.runAt = .latest }
            many.append(job)
        }
        var random = SeededGenerator(seed: TestSeeds.first)
        _ = try await fixture.jobs.insertAll(many.shuffled(using: &random))
        let held = try await fixture.lease(60, worker: worker, seconds: 60)
        for (index, job) in held.enumerated() {
            switch index % 6 {
            case 0: _ = try await fixture.finish(job)
            case 1: _ = try await fixture.finish(job, .failed(error: "e"))
            case 2: _ = try await fixture.finish(job, .snoozed(seconds: 60))
            case 3: try await fixture.requestCancel(job.id)
            case 4:
                _ = try await fixture.finish(job, .released)
                _ = try await fixture.jobs.cancel(job.id)
            default: break
            }
        }
        #expect(try await fixture.countMismatches() == 0)
    }

    @Test func `every combination of filters gives the jobs of the view`() async throws {
        try await Fixture.use { fixture in
            try await fill(fixture)
            let rows = try await rows(fixture)
            #expect(Set(rows.map(\.status)) == Set(JobStatus.allCases.map(\.rawValue)))
            for status in [nil] + JobStatus.allCases.map(Optional.some) {
                for queue in [nil, "q0", "nowhere"] {
                    for type in [nil, "t1", "t2"] {
                        for tag in [nil, "five", "none"] {
                            var filter = JobFilter()
                            (filter.status, filter.queue, filter.type, filter.tag) = (status, queue, type, tag)
                            let expected = rows.filter { row in
                                (status == nil || row.status == status?.rawValue)
                                    && (queue == nil || row.queue == queue) && (type == nil || row.type == type)
                                    && tag.map { row.tags.contains($0) } != false
                            }
                            let found = try await fixture.jobs.list(filter, before: nil, limit: 500)
                            #expect(found.map(\.id) == expected.map(\.id), "\(filter)")
                            #expect(found.map(\.status.rawValue) == expected.map(\.status), "\(filter)")
                        }
                    }
                }
            }
        }
    }

    @Test func `a list shows the same job as a find`() async throws {
        try await Fixture.use { fixture in
            try await fill(fixture)
            for job in try await fixture.jobs.list(JobFilter(), before: nil, limit: 500) {
                #expect(try await fixture.job(job.id).text == job.text)
            }
        }
    }

    @Test func `a worker's jobs are those that it has leased now`() async throws {
        try await Fixture.use { fixture in
            try await fill(fixture)
            let rows = try await rows(fixture).filter { $0.worker == "w1" }
            for status in [nil, JobStatus.running, .ending] {
                let expected = rows.filter { row in
                    status.map { row.status == $0.rawValue } ?? (row.status == "running" || row.status == "ending")
                }
                #expect(!expected.isEmpty)
                for worker in ["w1", "00000000-0000-0007-0000-000000000007"] {
                    var filter = JobFilter()
                    (filter.status, filter.worker) = (status, worker)
                    #expect(
                        try await fixture.jobs.list(filter, before: nil, limit: 500).map(\.id) == expected.map(\.id))
                    filter.queue = "q0"
                    let ofQueue = expected.filter { $0.queue == "q0" }.map(\.id)
                    #expect(try await fixture.jobs.list(filter, before: nil, limit: 500).map(\.id) == ofQueue)
                }
            }
            var nobody = JobFilter()
            nobody.worker = "w"
            #expect(try await fixture.jobs.list(nobody, before: nil, limit: 500).isEmpty)
        }
    }

    @Test(arguments: [1, 7, 96, 500])
    func `pages have no gaps or repeats`(size: Int) async throws {
        try await Fixture.use { fixture in
            try await fill(fixture)
            let rows = try await rows(fixture)
            #expect(try await pages(fixture, JobFilter(), by: size).map(\.id) == rows.map(\.id))
            for status in JobStatus.allCases {
                var filter = JobFilter()
                filter.status = status
                let expected = rows.filter { $0.status == status.rawValue }.map(\.id)
                #expect(try await pages(fixture, filter, by: size).map(\.id) == expected)
            }
        }
    }

    @Test(arguments: [JobFilter(), JobFilter.queue("q0"), .tag("five")])
    func `pages have no gaps or repeats while jobs move and others are created`(filter: JobFilter) async throws {
        try await Fixture.use { fixture in
            try await fill(fixture)
            let expected = try await rows(fixture).filter { row in
                (filter.queue == nil || row.queue == filter.queue) && filter.tag.map { row.tags.contains($0) } != false
            }.map(\.id)
            var seen: [UUID] = []
            while true {
                let page = try await fixture.jobs.list(filter, before: seen.last, limit: 5)
                seen += page.map(\.id)
                if page.count < 5 { break }
                try await fixture.enqueue(2) { job in
                    job.queue = "q0"
                    job.tags = ["five"]
                }
                for job in try await fixture.lease(3, seconds: 60) { _ = try await fixture.finish(job, .released) }
                for job in try await fixture.lease(2, seconds: 60) { _ = try await fixture.finish(job) }
                let others = try await fixture.sql("SELECT id FROM jobs ORDER BY random() LIMIT 4")
                for id in try others.decode(as: UUID.self) {
                    if try await fixture.jobs.cancel(id).done == nil { _ = try await fixture.jobs.retry(id) }
                }
            }
            #expect(seen == expected)
        }
    }

    @Test func `since and until bound the time of creation`() async throws {
        try await Fixture.use { fixture in
            var instants: [WallInstant] = []
            var batches: [[UUID]] = []
            for _ in 0..<3 {
                instants.append(try await laterMillisecond(fixture))
                batches.append(try await fixture.enqueue(4))
            }
            instants.append(try await laterMillisecond(fixture))
            for first in 0...3 {
                for last in first...3 {
                    var filter = JobFilter()
                    (filter.since, filter.until) = (instants[first], instants[last])
                    let expected = Array(batches[first..<last].joined().reversed())
                    #expect(try await fixture.jobs.list(filter, before: nil, limit: 500).map(\.id) == expected)
                    filter.queue = "default"
                    #expect(try await pages(fixture, filter, by: 3).map(\.id) == expected)
                }
            }
            var all = JobFilter()
            (all.since, all.until) = (.earliest, .latest)
            #expect(try await fixture.jobs.list(all, before: nil, limit: 500).count == 12)
        }
    }

    /// PostgreSQL's time, when everything before it lies more than two milliseconds back, and everything after it will
    /// come as much later.
    private func laterMillisecond(_ fixture: Fixture) async throws -> WallInstant {
        let now: WallInstant = try await fixture.sql("SELECT clock_timestamp() FROM pg_sleep(0.02)").decodeOnly()
        _ = try await fixture.sql("SELECT FROM pg_sleep(0.02)")
        return now
    }

    @Test func `a database without jobs has an empty list`() async throws {
        try await Fixture.use { fixture in
            let all = try await fixture.jobs.list(JobFilter(), before: nil, limit: 10)
            #expect(all.isEmpty)
            #expect(try await fixture.jobs.list(.queue("q0"), before: UUID(high: .max, low: 0), limit: 10).isEmpty)
        }
    }

    /// The page of five hundred jobs of 1 MiB is what a client asks for that does not know of them.
    @Test(arguments: [false, true])
    func `a page ends before its large members exceed the limit, and has at least one job`(
        isRandom: Bool
    ) async throws {
        try await Fixture.use { fixture in
            func text() -> [UInt8] {
                var random = SeededGenerator(seed: TestSeeds.first)
                let inner = (0..<99_998).map { _ in
                    isRandom ? UInt8.random(in: 0x30...0x5A, using: &random) : UInt8(0x61)
                }
                return [0x22] + inner + [0x22]
            }
            for _ in 0..<5 {
                let payload = text()
                let leased = try await fixture.leaseNew { $0.payload = payload }
                try await fixture.finish(leased, .succeeded(result: text()))
            }
            func list(_ members: JobMembers, bytesMax: Int, limit: Int = 500) async throws -> (Int, Bool) {
                var ids: [UUID] = []
                var pages = 0
                var hasMore = true
                var first: JobPage?
                while hasMore {
                    let page = try await fixture.jobs.list(
                        JobFilter(), before: ids.last, limit: limit, with: members, bytesMax: bytesMax)
                    first = first ?? page
                    for job in page.jobs {
                        #expect(job.payload.count == (members.contains(.payload) ? 100_000 : 0))
                        #expect(job.result?.count == (members.contains(.result) ? 100_000 : nil))
                    }
                    ids += page.jobs.map(\.id)
                    hasMore = page.hasMore
                    pages += 1
                    #expect(!page.jobs.isEmpty && pages <= 5)
                }
                #expect(Set(ids).count == 5 && ids == ids.sorted(by: >))
                return (first?.jobs.count ?? 0, first?.hasMore ?? false)
            }
            #expect(try await list([], bytesMax: 0) == (5, false))
            #expect(try await list([], bytesMax: 0, limit: 5) == (5, false))
            #expect(try await list([], bytesMax: 0, limit: 4) == (4, true))
            #expect(try await list(.payload, bytesMax: 500_000) == (5, false))
            #expect(try await list(.payload, bytesMax: 499_999) == (4, true))
            #expect(try await list(.payload, bytesMax: 0) == (1, true))
            #expect(try await list([.payload, .result], bytesMax: 500_000) == (2, true))
            #expect(try await list(.all, bytesMax: 1_000_000, limit: 3) == (3, true))
        }
    }
}

extension JobFilter {
    fileprivate static func queue(_ name: String) -> JobFilter {
        var filter = JobFilter()
        filter.queue = name
        return filter
    }

    fileprivate static func tag(_ tag: String) -> JobFilter {
        var filter = JobFilter()
        filter.tag = tag
        return filter
    }
}
