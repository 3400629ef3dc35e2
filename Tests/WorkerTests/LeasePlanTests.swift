import Testing

@testable import Worker

@Suite struct LeasePlanTests {
    /// A plan with a measured run time of `seconds`, and no held job.
    private func plan(_ concurrency: Int, batch: Int = 10, most: Int = 1_000, taking seconds: Double?) -> LeasePlan {
        var plan = LeasePlan(concurrency: concurrency, batchSize: batch, batchMax: most)
        guard let seconds else { return plan }
        for _ in 0..<200 {
            plan.leased(1, of: 2)
            plan.started()
            plan.ended(afterSeconds: seconds)
        }
        return plan
    }

    @Test func `before the first job has ended, the plan requests free slots only, in batches`() {
        #expect(plan(4, taking: nil).wanted == 4)
        #expect(plan(50, taking: nil).wanted == 10)
    }

    @Test func `long jobs are leased for free slots only`() {
        var plan = plan(4, taking: 30)
        #expect(plan.wanted == 4)
        plan.leased(4, of: 4)
        for _ in 0..<4 { plan.started() }
        #expect(plan.wanted == 0)
        plan.ended(afterSeconds: 30)
        #expect(plan.wanted == 1)
    }

    @Test func `short jobs are leased ahead if they start within a tenth of a second`() {
        // 10 slots at 10 ms each are 1,000 jobs a second: 100 in a tenth of one.
        var plan = plan(10, batch: 1_000, taking: 0.010)
        #expect(plan.wanted == 110)
        plan.leased(110, of: 110)
        #expect(plan.wanted == 0)
    }

    @Test func `a full batch doubles the next up to the maximum, and a short one resets it`() {
        var plan = plan(10, most: 100, taking: 0.000_001)
        var requested: [Int] = []
        for _ in 0..<6 {
            let wanted = plan.wanted
            requested.append(wanted)
            plan.leased(wanted, of: wanted)
            for _ in 0..<wanted {
                plan.started()
                plan.ended(afterSeconds: 0.000_001)
            }
        }
        #expect(requested == [10, 20, 40, 80, 100, 100])
        plan.leased(3, of: 100)
        #expect(plan.wanted == 10)
    }

    @Test func `released jobs free their capacity`() {
        var plan = plan(2, taking: 30)
        plan.leased(2, of: 2)
        plan.released(2)
        #expect(plan.wanted == 2)
    }
}
