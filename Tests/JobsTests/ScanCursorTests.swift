import Jobs
import Telemetry
import Testing
import Values

@Suite struct ScanCursorTests {
    private func instant(_ seconds: Int64) -> WallInstant {
        WallInstant(microseconds: (1_000_000 + seconds) * 1_000_000)
    }

    @Test func `the first two scans read from the earliest instant`() {
        var cursor = ScanCursor()
        #expect(cursor.lowerBound == .earliest)
        cursor.drained(at: instant(0))
        #expect(cursor.lowerBound == .earliest)
    }

    @Test func `a scan begins ten seconds before the scan before the last one`() {
        var cursor = ScanCursor()
        cursor.drained(at: instant(100))
        cursor.drained(at: instant(200))
        #expect(cursor.lowerBound == instant(90))
        cursor.drained(at: instant(300))
        #expect(cursor.lowerBound == instant(190))
    }

    @Test func `a scan that was not drained leaves the cursor where it was`() {
        var cursor = ScanCursor()
        cursor.drained(at: instant(100))
        cursor.drained(at: instant(200))
        let before = cursor.lowerBound
        #expect(cursor.lowerBound == before)
    }

    @Test func `every tenth scan is a sweep`() {
        var cursor = ScanCursor()
        var sweeps: [Int] = []
        for scan in 0..<35 {
            if cursor.lowerBound == .earliest { sweeps.append(scan) }
            cursor.drained(at: instant(Int64(scan)))
        }
        #expect(sweeps == [0, 1, 10, 20, 30])
    }
}

@Suite struct DeltaScanCursorTests {
    private let start = MonotonicInstant.now()

    /// The blocks at which rollups begin, one every `interval`, each of which ends at the next of `ends`.
    private func blocks(every interval: Duration, ends: [Int64]) -> [Int64] {
        var cursor = DeltaScanCursor()
        return ends.enumerated().map { tick, end in
            let now = start + interval * tick
            let block = cursor.block(at: now)
            cursor.drained(from: block, atEnd: end, at: now)
            return block
        }
    }

    @Test func `between two sweeps, a rollup begins where the table ended two ticks ago`() {
        #expect(blocks(every: .milliseconds(1), ends: [1_000, 1_001, 1_002, 1_003]) == [0, 0, 1_000, 1_001])
    }

    @Test func `a short table is always swept, since vacuum lets rows in before its end`() {
        #expect(blocks(every: .milliseconds(250), ends: .init(repeating: 500, count: 100)).allSatisfy { $0 == 0 })
    }

    @Test(arguments: [(10_000 as Int64, 20), (100_000, 200)])
    func `the longer the table, the rarer the sweeps`(length: Int64, ticks: Int) {
        let begun = blocks(every: .milliseconds(250), ends: .init(repeating: length, count: 1_000))
        // The second rollup is one too, since it does not know yet where the table ended two ticks ago.
        #expect(begun.indices.filter { begun[$0] == 0 } == [0] + stride(from: 1, to: 1_000, by: ticks))
    }

    @Test func `a table that has become shorter is read from its end`() {
        #expect(blocks(every: .milliseconds(1), ends: [10_000, 500, 501, 502]) == [0, 0, 500, 500])
    }
}
