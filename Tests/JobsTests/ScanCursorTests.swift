import Jobs
import Telemetry
import Testing
import Values

@Suite struct ScanCursorTests {
    private func instant(_ seconds: Int64) -> WallInstant {
        WallInstant(microseconds: (1_000_000 + seconds) * 1_000_000)
    }

    @Test func `the first two scans look at everything`() {
        var floor = ScanCursor()
        #expect(floor.lowerBound == .earliest)
        floor.drained(at: instant(0))
        #expect(floor.lowerBound == .earliest)
    }

    @Test func `a scan begins ten seconds before the tick before the last one`() {
        var floor = ScanCursor()
        floor.drained(at: instant(100))
        floor.drained(at: instant(200))
        #expect(floor.lowerBound == instant(90))
        floor.drained(at: instant(300))
        #expect(floor.lowerBound == instant(190))
    }

    @Test func `a scan that was not drained leaves the floor where it was`() {
        var floor = ScanCursor()
        floor.drained(at: instant(100))
        floor.drained(at: instant(200))
        let before = floor.lowerBound
        #expect(floor.lowerBound == before)
    }

    @Test func `every tenth scan is a sweep`() {
        var floor = ScanCursor()
        var sweeps: [Int] = []
        for scan in 0..<35 {
            if floor.lowerBound == .earliest { sweeps.append(scan) }
            floor.drained(at: instant(Int64(scan)))
        }
        #expect(sweeps == [0, 1, 10, 20, 30])
    }
}

@Suite struct DeltaScanCursorTests {
    @Test func `a fold begins where the table ended at the tick before the last one`() {
        var floor = DeltaScanCursor()
        var blocks: [Int64] = []
        for end: Int64 in [10, 20, 30, 40] {
            blocks.append(floor.block)
            floor.drained(atEnd: end)
        }
        #expect(blocks == [0, 0, 10, 20])
    }

    @Test func `every twentieth fold is a sweep`() {
        var floor = DeltaScanCursor()
        var sweeps: [Int] = []
        for fold in 0..<70 {
            if fold >= 2, floor.block == 0 { sweeps.append(fold) }
            floor.drained(atEnd: 1_000)
        }
        #expect(sweeps == [20, 40, 60])
    }

    @Test func `a table that has become shorter is read from its end at the latest`() {
        var floor = DeltaScanCursor()
        floor.drained(atEnd: 1_000)
        floor.drained(atEnd: 5)
        #expect(floor.block <= 5)
        floor.drained(atEnd: 6)
        #expect(floor.block == 5)
    }
}
