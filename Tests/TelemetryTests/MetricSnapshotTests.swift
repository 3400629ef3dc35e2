import TestKit
import Testing

@testable import Telemetry

struct MetricSnapshotTests {
    private static let finished = MetricDeclaration(.counter, "finished_total", help: "F.", labels: ["queue", "type"])
    private static let waits = MetricDeclaration(
        .histogram, "wait_seconds", help: "W.", labels: ["queue"], bounds: [0.1, 1])
    private let declarations = [finished, waits]

    private func registry(_ queue: String, finished: Int, waits: [Double]) -> MetricRegistry {
        let registry = MetricRegistry()
        registry.counters(Self.finished).with(queue, "a,b=\"c\"\\\n}").add(finished)
        for wait in waits { registry.histograms(Self.waits).with(queue).observe(wait) }
        registry.gauge("running", help: "R.").set(5)
        return registry
    }

    @Test func `a snapshot has an entry for each value of counters and histograms`() {
        let entries = registry("q", finished: 2, waits: [0.05, 3]).snapshot().entries
        #expect(
            entries.map { "\($0.series) \($0.value)" } == [
                #"finished_total{queue="q",type="a,b=\"c\"\\\n}"} 2.0"#,
                #"wait_seconds_bucket{queue="q",le="0.1"} 1.0"#,
                #"wait_seconds_bucket{queue="q",le="1"} 1.0"#,
                #"wait_seconds_bucket{queue="q",le="+Inf"} 2.0"#,
                #"wait_seconds_sum{queue="q"} 3.0498046875"#,
                #"wait_seconds_count{queue="q"} 2.0"#,
            ])
    }

    @Test func `a snapshot is converted back to its families`() {
        let registry = registry("q", finished: 2, waits: [0.0625, 3])
        let expected = registry.families().filter { $0.declaration.kind != .gauge }
        #expect(registry.snapshot().families(declarations) == expected)
    }

    @Test func `the snapshots of many processes add up`() {
        let snapshots = [
            registry("q", finished: 2, waits: [0.5]), registry("q", finished: 3, waits: [0.5, 8]),
            registry("r", finished: 4, waits: []),
        ].map { $0.snapshot() }
        let families = MetricSnapshot.sum(snapshots).families(declarations)
        let (counts, buckets, sumAndCount): ([Double], [Double], [Double]) = ([5, 4], [0, 2, 3], [9, 3])
        #expect(families.map { $0.samples.map(\.value) } == [counts, buckets + sumAndCount])
    }

    @Test(arguments: TestSeeds.take(1))
    func `totals do not depend on the order of addition or on earlier merges`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var snapshots = (0..<200).map { _ in
            let waits = (0..<20).map { _ in Double.random(in: 0...1e7, using: &random) }
            return registry("q", finished: 1, waits: waits).snapshot()
        }
        let total = MetricSnapshot.sum(snapshots)
        snapshots.shuffle(using: &random)
        #expect(MetricSnapshot.sum(snapshots) == total)
        let folded = MetricSnapshot.sum(Array(snapshots[..<77]))
        #expect(MetricSnapshot.sum([folded] + snapshots[77...]) == total)
    }

    @Test func `declared metrics without an entry are included`() {
        let families = MetricSnapshot(entries: []).families(declarations)
        #expect(families.map(\.declaration) == declarations)
        #expect(families.allSatisfy { $0.samples.isEmpty })
    }

    @Test(arguments: [
        "unknown_total{queue=\"q\"}", "finished_total", "finished_total{queue=\"q\"}",
        "finished_total{type=\"t\",queue=\"q\"}", "finished_total{queue=\"q\",type=\"t\"", "finished_total{",
        "finished_total{queue=\"q\",type=\"t}", "finished_total{queue=\"q\",type=\"t\\", "",
        "finished_total{queue=\"q\",type=\"t\"} 1\nforged_total", "wait_seconds{queue=\"q\"}",
        "wait_seconds_bucket{queue=\"q\",le=\"0.2\"}", "wait_seconds_bucket{queue=\"q\"}",
        "wait_seconds_sum{queue=\"q\",le=\"1\"}", "finished_total_sum{queue=\"q\",type=\"t\"}",
    ])
    func `an entry that matches no declaration is skipped`(series: String) {
        let snapshot = MetricSnapshot(entries: [.init(series: series, value: 1)])
        #expect(snapshot.families(declarations).allSatisfy { $0.samples.isEmpty })
    }

    @Test func `a value that is invalid for a counter is skipped`() {
        for value in [-1, .nan, .infinity] as [Double] {
            let snapshot = MetricSnapshot(entries: [
                .init(series: #"finished_total{queue="q",type="t"}"#, value: value)
            ])
            #expect(snapshot.families(declarations).allSatisfy { $0.samples.isEmpty })
        }
    }
}
