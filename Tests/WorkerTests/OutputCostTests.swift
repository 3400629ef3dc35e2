import EventLoop
import Jobs
import Testing
import Values

@testable import Worker

/// The outputs of a handler occupy the worker's loop in proportion to their length, whatever their bytes are.
@Suite struct OutputCostTests {
    /// A handler may repeat each of them for ever.
    static let units = [
        "\n", " \n", "\r\n", "\t\t\n", " ", "x\n", "{\n", "{}\n", "{\"progress\":1}\n", "{\"progress\":", "[", "\0",
        "\u{1F600}",
    ]

    /// The longest of `append` in turns of at most `turnBytesMax` bytes.
    private func longestTurn(_ capture: inout some OutputCapture, _ bytes: [UInt8]) -> Duration {
        var longest = Duration.zero
        var rest = bytes[...]
        while !rest.isEmpty {
            let turn = rest.prefix(capture.turnBytesMax)
            rest = rest.dropFirst(turn.count)
            let start = MonotonicInstant.now()
            capture.append(turn)
            longest = max(longest, .now() - start)
        }
        return longest
    }

    /// 64 KiB of blank lines cost 1.1 s of the loop when each was parsed. The bound is for a debug build on a busy
    /// machine.
    @Test(arguments: units)
    func `no output blocks the loop`(unit: String) {
        let bytes = Array(String(repeating: unit, count: 65_536 / unit.utf8.count).utf8)
        let limit = Duration.milliseconds(200)
        var lastLine = LastLine(bytesMax: 100_000)
        var errors = ReportedOutput(bytesMax: 65_536) { _ in }
        var silent = ReportedOutput(bytesMax: 65_536, onLine: nil)
        var reports = ReportingOutput(bytesMax: 100_000) { _ in }
        for _ in 0..<3 {
            #expect(longestTurn(&lastLine, bytes) < limit)
            #expect(longestTurn(&errors, bytes) < limit)
            #expect(longestTurn(&silent, bytes) < limit)
            #expect(longestTurn(&reports, bytes) < limit)
        }
        let start = MonotonicInstant.now()
        _ = (lastLine.line, errors.tail.text)
        reports.end()
        #expect(.now() - start < limit)
    }

    /// The blank lines before a report are dropped, so they are not kept either.
    @Test func `a report after blank lines is a report`() {
        for blank in ["\n", " \n", "\r\n"] {
            for size in [1, 7, 8_192] {
                let blanks = String(repeating: blank, count: 5_000)
                let bytes = Array((blanks + "{\"progress\":7}\n" + blanks + "done").utf8)
                let percents = Percents()
                var reports = ReportingOutput(bytesMax: 100) { percents.add($0.percent) }
                for start in stride(from: 0, to: bytes.count, by: size) {
                    reports.append(bytes[start..<min(start + size, bytes.count)])
                }
                reports.end()
                #expect(percents.all == [7])
                #expect(String(decoding: reports.result.bytes, as: UTF8.self) == "done")
            }
        }
    }

    /// Every way to split a text gives the line that `split` finds.
    @Test func `the last line is the last one with a visible byte, however the bytes arrive`() {
        let texts = ["a\nb", "a\nb\n", "a\n\n \n", "\n\n", "", " x \n\t\r\n", "a\n \nb \n \n", "ab", "\na b\r\n"]
        for text in texts {
            let expected = text.utf8.split(separator: UInt8(ascii: "\n"))
                .last { $0.contains { $0 != 0x20 && $0 != 9 && $0 != 13 } }
            for size in 1...max(1, text.utf8.count) {
                var lastLine = LastLine(bytesMax: 100)
                let bytes = Array(text.utf8)
                for start in stride(from: 0, to: bytes.count, by: size) {
                    lastLine.append(bytes[start..<min(start + size, bytes.count)])
                }
                let found = lastLine.line.bytes
                let isBlank = found.allSatisfy { $0 == 0x20 || $0 == 9 || $0 == 13 }
                #expect(expected.map(Array.init) ?? [] == (isBlank ? [] : found), "\(text.debugDescription) \(size)")
            }
        }
    }

    private final class Percents: @unchecked Sendable {
        private(set) var all: [Int16] = []
        func add(_ percent: Int16) { all.append(percent) }
    }
}
