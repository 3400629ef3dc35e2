import Glibc
import Testing

@testable import Telemetry

/// A pipe whose read end acts as the collector of the log.
private final class LogPipe {
    let reader: Int32
    let writer: Int32
    private var received: [UInt8] = []

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// Reads until a line satisfies `isLast`. Fails the test after ten seconds.
    func lines(until isLast: (String) -> Bool) -> [String] {
        var lines: [String] = []
        while true {
            while let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(String(decoding: received[..<end], as: UTF8.self))
                received.removeSubrange(...end)
                if isLast(lines[lines.count - 1]) { return lines }
            }
            var wanted = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, 10_000) > 0 else {
                Issue.record("the last line did not arrive; the lines were \(lines.suffix(3))")
                return lines
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(reader, &chunk, chunk.count)
            guard count > 0 else { return lines }
            received += chunk[..<count]
        }
    }
}

struct QueuedLogTests {
    private let pipe = LogPipe()

    private func dropped(in line: String) -> Int? {
        line.split(separator: "\"dropped\":").dropFirst().first.flatMap { Int($0.dropLast()) }
    }

    @Test func `lines arrive in order`() throws {
        let logger = Logger(
            component: "test", level: .info, sink: try QueuedLog(descriptor: pipe.writer, format: .json))
        for number in 0..<1_000 { logger.info("line", ["number": .integer(number)]) }
        let lines = pipe.lines { $0.hasSuffix(#""number":999}"#) }
        #expect(lines.count == 1_000)
        for (number, line) in lines.enumerated() { #expect(line.hasSuffix(#""number":\#(number)}"#)) }
    }

    @Test func `a blocked pipe blocks no caller, and dropped lines are reported when writing continues`() throws {
        let log = try QueuedLog(descriptor: pipe.writer, format: .json, bytesMax: 50_000)
        let logger = Logger(component: "test", level: .info, sink: log)
        let text = String(repeating: "x", count: 1_000)
        // Far more than the capacity of the pipe (64 KiB) and the buffer, while the pipe is not read.
        for number in 0..<1_000 { logger.info("line", ["number": .integer(number), "text": .string(text)]) }
        #expect(!log.flush(within: .milliseconds(5)))

        // The buffer may be full several times; each time is reported.
        var (arrived, lost) = (0, 0)
        let lines = pipe.lines { line in
            arrived += dropped(in: line) == nil ? 1 : 0
            lost += dropped(in: line) ?? 0
            return arrived + lost == 1_000
        }
        #expect(lost > 0)
        #expect(lines[lines.count - 1].contains(#""level":"WARNING""#))
        logger.info("after")
        #expect(pipe.lines { _ in true }[0].contains(#""message":"after""#))
        #expect(log.flush(within: .seconds(10)))
    }

    @Test func `lines from several threads do not mix`() async throws {
        let logger = Logger(
            component: "test", level: .info, sink: try QueuedLog(descriptor: pipe.writer, format: .json))
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<200 { logger.info("line", ["id": "\(task)/\(number)", "end": true]) }
                }
            }
        }
        var remaining = 1_600
        let lines = pipe.lines { _ in
            remaining -= 1
            return remaining == 0
        }
        #expect(Set(lines.map { $0.split(separator: "\"id\":").last }).count == 1_600)
        #expect(lines.allSatisfy { $0.hasPrefix(#"{"timestamp":"#) && $0.hasSuffix(#","end":true}"#) })
    }

    @Test func `a closed reader does not end the process`() throws {
        let log = try QueuedLog(descriptor: pipe.writer, format: .json)
        let logger = Logger(component: "test", level: .info, sink: log)
        let elsewhere = LogPipe()
        // The read end of the pipe is replaced, so that it has no reader.
        dup2(elsewhere.writer, pipe.reader)
        logger.info("lost")
        #expect(log.flush(within: .seconds(10)))
        logger.info("lost too")
        #expect(log.flush(within: .seconds(10)))
        // A new reader of the same descriptor receives the number of lost lines.
        dup2(elsewhere.writer, pipe.writer)
        logger.info("found")
        let lines = elsewhere.lines { dropped(in: $0) != nil }
        #expect(lines.count == 2)
        #expect(lines[0].contains("found"))
        #expect(dropped(in: lines[1]) == 2)
    }

    @Test func `a line truncated by a failure is followed by a newline`() async throws {
        let elsewhere = LogPipe()
        let (reader, writer, replacement) = (pipe.reader, pipe.writer, elsewhere.writer)
        _ = fcntl(writer, F_SETFL, O_NONBLOCK)
        // The pipe accepts part of the line, then its reader is closed.
        try WriterThread.start {
            var chunk = [UInt8](repeating: 0, count: 1_000)
            _ = read(reader, &chunk, chunk.count)
            dup2(replacement, reader)
        }
        let lost = await withCheckedContinuation { continuation in
            do {
                try WriterThread.start {
                    var output = LineOutput(descriptor: writer)
                    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000) + [UInt8(ascii: "\n")]
                    let lostAtFirst = output.write(long)
                    dup2(replacement, writer)
                    continuation.resume(returning: [lostAtFirst, output.write(Array("whole\n".utf8))])
                }
            } catch {
                continuation.resume(returning: [])
            }
        }
        #expect(lost == [1, 0])
        #expect(elsewhere.lines { $0 == "whole" } == ["", "whole"])
    }

    @Test func `lines accepted before the log is released are written`() throws {
        do {
            let logger = Logger(
                component: "test", level: .info, sink: try QueuedLog(descriptor: pipe.writer, format: .json))
            logger.info("last words")
        }
        #expect(pipe.lines { _ in true }[0].contains("last words"))
    }
}
