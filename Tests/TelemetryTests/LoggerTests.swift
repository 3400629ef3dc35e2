import Foundation
import Telemetry
import Testing
import Values

struct LoggerTests {
    private let log = CollectedLog()
    private var logger: Logger { Logger(component: "api", level: .info, sink: log) }

    @Test func `a line is a JSON object with typed values`() throws {
        logger.with(["worker_id": "w-1"]).warning(
            "lease \"lost\"",
            ["attempt": 3, "ratio": 0.5, "late": true, "duration_ms": .milliseconds(.microseconds(1_250_007))])
        let line = try #require(log.lines().first)
        let timestamp = try #require(log.records.first).instant.description
        #expect(
            line == #"{"timestamp":"\#(timestamp)","level":"WARNING","message":"lease \"lost\"","component":"api","#
                + #""worker_id":"w-1","attempt":3,"ratio":0.5,"late":true,"duration_ms":1250.007}"#)
    }

    @Test func `a line below the level is not evaluated`() {
        var evaluations = 0
        func count() -> String {
            evaluations += 1
            return "message"
        }
        logger.debug(count(), ["field": .string(count())])
        #expect(evaluations == 0)
        #expect(log.records.isEmpty)
        logger.info(count(), ["field": .string(count())])
        #expect(evaluations == 2)
        #expect(log.records.count == 1)
    }

    @Test func `a later field replaces an earlier one, but no reserved field`() throws {
        logger.with(["queue": "a", "type": "t"]).info("m", ["queue": "b", "level": "fake", "timestamp": 1])
        let line = try #require(log.lines().first)
        #expect(line.hasSuffix(#","component":"api","queue":"b","type":"t","level_":"fake","timestamp_":1}"#))
    }

    @Test func `numbers that JSON cannot represent are written as strings`() throws {
        logger.info("m", ["a": .double(.nan), "b": .double(-.infinity), "c": .milliseconds(.milliseconds(-5))])
        #expect(try #require(log.lines().first).hasSuffix(#""a":"nan","b":"-inf","c":-5.000}"#))
    }

    /// Characters that could end a line, a string or an escape, or control a terminal.
    private static let hostile: [String] =
        (0x00...0x9f).map { String(Unicode.Scalar(UInt8($0))) } + [
            "\r\n{\"level\":\"ERROR\"}", "\"}\n{\"message\":\"forged\"", "\\", "\\n", "\u{2028}", "\u{2029}", "\u{85}",
            "\u{9b}31m", "\u{1b}[2J", "\u{202e}", "\u{2066}", "\u{200f}", "e\u{301}", "\u{1f600}",
            String(decoding: [0xff, 0xc0, 0x80, 0x0a], as: UTF8.self),
        ]

    @Test(arguments: hostile)
    func `no value can forge a line`(text: String) throws {
        logger.component(text).info(text, [text: .string(text), "x": .string("a" + text + "b")])
        for format in [LogFormat.json, .console(coloured: false)] {
            let line = try #require(log.lines(format).first)
            for scalar in line.unicodeScalars {
                #expect(scalar.properties.generalCategory != .control)
                #expect(![0x2028, 0x2029, 0x202e, 0x2066, 0x200f].contains(scalar.value))
            }
        }
        let line = try #require(log.lines().first)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect((object["message"] as? String).map { Array($0.utf8) } == Array(text.utf8))
        #expect((object["x"] as? String).map { Array($0.utf8) } == Array("a\(text)b".utf8))
    }

    @Test func `a long text is truncated at a character boundary`() throws {
        logger.info("m", ["output": .string(String(repeating: "é", count: 100_000))])
        let line = try #require(log.lines().first)
        #expect(line.utf8.count < 17_000)
        #expect(line.hasSuffix(#"é..."}"#))
    }

    @Test func `the console format has time, level, component, message and fields`() throws {
        logger.error("it broke", ["job_id": "j1", "error": "no such file", "empty": "", "n": 1])
        let record = try #require(log.records.first)
        let time = record.instant.description.dropFirst(11).dropLast(4)
        #expect(
            log.lines(.console(coloured: false)) == [
                #"\#(time)Z ERROR   api: it broke job_id=j1 error="no such file" empty="" n=1"#
            ])
        #expect(log.lines(.console(coloured: true))[0].contains("\u{1b}[31mERROR\u{1b}[0m"))
    }
}
