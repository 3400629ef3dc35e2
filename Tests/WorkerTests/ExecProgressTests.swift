import EventLoop
import Jobs
import Synchronization
import Testing

@testable import Worker

/// Progress reports and results on descriptor 3.
@Suite struct ExecProgressTests {
    private final class Reports: Sendable {
        private let all = Mutex<[ProgressReport]>([])

        func add(_ report: ProgressReport) { all.withLock { $0.append(report) } }
        var list: [ProgressReport] { all.withLock { $0 } }
    }

    private func report(_ percent: Double, _ message: String? = nil) -> ProgressReport {
        ProgressReport(percent: percent, message: message)
    }

    /// Outputs, the reports in them, and the rest, which is the result.
    private static let outputs: [(String, [ProgressReport], String)] = [
        ("", [], ""), ("42", [], "42"), ("{\"a\":1}\n", [], "{\"a\":1}\n"),
        ("{\"progress\":40}\n", [ProgressReport(percent: 40, message: nil)], ""),
        (
            "{\"progress\": 1.9, \"message\": \"a\"}\n\n {\"message\":null,\"progress\":-3}\r\n{\"done\":\n true}\n",
            [ProgressReport(percent: 1, message: "a"), ProgressReport(percent: 0, message: nil)],
            "{\"done\":\n true}\n"
        ),
        ("{\"progress\":1e9}\n{\"snooze\":5}", [ProgressReport(percent: 100, message: nil)], "{\"snooze\":5}"),
        // Not reports: an incomplete line, another member, wrong types, a line within the result.
        ("{\"progress\":40}", [], "{\"progress\":40}"),
        ("{\"progress\":4,\"x\":1}\n", [], "{\"progress\":4,\"x\":1}\n"),
        ("{\"progress\":\"4\"}\n", [], "{\"progress\":\"4\"}\n"),
        ("{\"progress\":4,\"message\":7}\n", [], "{\"progress\":4,\"message\":7}\n"),
        ("[\n{\"progress\":4}\n]\n", [], "[\n{\"progress\":4}\n]\n"),
    ]

    @Test(arguments: outputs, [1, 3, 1_000])
    func `report lines before the result are reports, however the bytes arrive`(
        output: (text: String, reports: [ProgressReport], result: String), size: Int
    ) {
        let reports = Reports()
        var reporting = ReportingOutput(bytesMax: 1_000) { reports.add($0) }
        let bytes = Array(output.text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            reporting.append(bytes[start..<min(start + size, bytes.count)])
        }
        reporting.end()
        #expect(reports.list == output.reports)
        #expect(String(decoding: reporting.result.bytes, as: UTF8.self) == output.result)
    }

    @Test func `a line longer than a report begins the result, which is bounded`() {
        var reporting = ReportingOutput(bytesMax: 10_000) { _ in }
        reporting.append([UInt8](repeating: 0x20, count: 9_000)[...])
        #expect(reporting.result.bytes.count == 9_000)
        reporting.append([UInt8](repeating: 0x20, count: 9_000)[...])
        #expect(reporting.result.isTooLong)
    }

    @Test func `a stored message is truncated at a character boundary`() {
        #expect(report(5, String(repeating: "\u{20AC}", count: 400)).message?.utf8.count == 999)
        #expect(report(5, "a\0b").message == "a\u{FFFD}b")
        #expect(report(.nan).percent == 0)
        #expect(report(.infinity).percent == 100)
    }

    @Test func `reports arrive while the program runs, and the result follows`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let reports = Reports()
            let script = """
                echo '{"progress": 50}' >&3
                while [ ! -e "$GO" ]; do sleep 0.01; done
                echo '{"progress": 100, "message": "done"}' >&3
                echo '{"files": 3}' >&3
                """
            let handler = shell(script, environment: ["GO": "\(scratch.path)/go"], on: loop)
            async let result = handler.run(leasedJob(), cancellation: Cancellation()) { reports.add($0) }
            #expect(try await eventually(loop) { reports.list == [report(50)] })
            try scratch.write("go", "")
            #expect(await result.resultText == "{\"files\": 3}")
            #expect(reports.list == [report(50), report(100, "done")])
        }
    }

    @Test func `a program may report progress and then snooze`() async throws {
        try await onLoop { loop in
            let script = "printf '{\"progress\": 50}\\n{\"snooze\": 60}' >&3; exit 79"
            #expect(await shell(script, on: loop).run(leasedJob()) == .snoozed(seconds: 60))
        }
    }
}
