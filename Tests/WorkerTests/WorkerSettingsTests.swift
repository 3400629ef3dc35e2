import Configuration
import EventLoop
import Foundation
import Testing
import Values

@testable import Worker

@Suite struct WorkerSettingsTests {
    private func read(_ changes: [String: String] = [:]) throws -> (WorkerSettings, SettingsReader) {
        let variables = ["DATABASE_URL": "postgresql://db/jobs"].merging(changes) { $1 }
        let environment = ProcessEnvironment(variables)
        var reader = SettingsReader(environment: environment)
        let loop = try Loop(label: "settings")
        let settings = WorkerSettings(reading: &reader, environment: environment, on: loop)
        return (settings, reader)
    }

    @Test func `the defaults are the documented ones`() throws {
        let settings = try read().0
        #expect(settings.concurrency == 10 && settings.batchSize == 10 && settings.batchMax == 1_000)
        #expect(settings.pollInterval == .seconds(1) && settings.leaseDuration == .seconds(300))
        #expect(settings.shutdownGrace == .seconds(55))
        #expect(settings.queues == nil)
    }

    @Test func `all problems are reported at once`() throws {
        let reader = try read([
            "WORKER_CONCURRENCY": "0", "WORKER_QUEUES": "mail,b ad", "WORKER_BATCH_SIZE": "50",
            "WORKER_BATCH_MAX": "20",
            "WORKER_HANDLERS_FILE": "/no/such/file", "WEBHOOK_ALLOW": "10.0.0.0/99", "DATABASE_SCHEMA": "a;b",
        ]).1
        let failure = #expect(throws: ConfigurationFailure.self) { try reader.finish() }
        let text = "\(try #require(failure))"
        for name in [
            "WORKER_CONCURRENCY", "WORKER_QUEUES", "WORKER_BATCH_SIZE", "WORKER_HANDLERS_FILE", "WEBHOOK_ALLOW",
            "DATABASE_SCHEMA",
        ] {
            #expect(text.contains(name), "\(name) is missing in: \(text)")
        }
    }

    @Test func `an error in the handlers file is a configuration problem with line and column`() throws {
        let path = NSTemporaryDirectory() + "handlers-\(UUID().uuidString).json"
        try #"{"handlers": {"a": {"exec": ["no-such-program-anywhere"]}}}"#.write(
            toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let reader = try read(["WORKER_HANDLERS_FILE": path]).1
        let failure = #expect(throws: ConfigurationFailure.self) { try reader.finish() }
        #expect("\(try #require(failure))".contains("\(path):1:"))
    }

    @Test func `the documentation has every variable of the worker with default and range`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let rows = try String(contentsOf: root.appending(path: "docs/configuration.md"), encoding: .utf8)
            .split(separator: "\n").filter { $0.hasPrefix("| `") }
            .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces).filter { $0 != "`" } } }
            .filter { $0.count >= 4 && ($0[1] == "all" || $0[1].contains("worker")) }
        let declared = try read().1.declarations
        for declaration in declared {
            let row = rows.first { $0[0] == declaration.name }
            #expect(row?[2] == declaration.defaultText ?? "", "\(declaration.name)")
            if let match = declaration.accepted.firstMatch(of: /from (\S+) to ([^\s,]+)/) {
                #expect(row?[3] == "\(match.output.1) to \(match.output.2)", "\(declaration.name)")
            }
        }
        #expect(Set(rows.map { $0[0] }).subtracting(declared.map(\.name)).isEmpty)
    }
}
