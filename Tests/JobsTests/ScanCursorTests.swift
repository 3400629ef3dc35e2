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
    @Test func `a rollup begins where the table ended two ticks ago`() {
        var cursor = DeltaScanCursor()
        var blocks: [Int64] = []
        for end: Int64 in [10, 20, 30, 40] {
            blocks.append(cursor.block)
            cursor.drained(atEnd: end)
        }
        #expect(blocks == [0, 0, 10, 20])
    }

    @Test func `every twentieth rollup is a sweep`() {
        var cursor = DeltaScanCursor()
        var sweeps: [Int] = []
        for fold in 0..<70 {
            if fold >= 2, cursor.block == 0 { sweeps.append(fold) }
            cursor.drained(atEnd: 1_000)
        }
        #expect(sweeps == [20, 40, 60])
    }

    @Test func `a table that has become shorter is read from its end`() {
        var cursor = DeltaScanCursor()
        cursor.drained(atEnd: 1_000)
        cursor.drained(atEnd: 5)
        #expect(cursor.block <= 5)
        cursor.drained(atEnd: 6)
        #expect(cursor.block == 5)
    }
}
