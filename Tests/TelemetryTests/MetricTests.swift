import Testing
import Values

@testable import Telemetry

private func text(_ page: [UInt8]) -> String {
    String(decoding: page, as: UTF8.self)
}

struct MetricTests {
    private let registry = MetricRegistry()

    @Test func `a page has help, type and series, sorted`() {
        let requests = registry.counter("http_requests_total", help: "Requests answered.", labels: ["route", "status"])
        requests.with("/b", "200").add(2)
        requests.with("/a", "200").add()
        requests.with("/b", "200").add()
        registry.gauge("alive", help: "Processes alive.").set(1.5)
        _ = registry.counter("empty_total", help: "Nothing yet.", labels: ["x"])
        #expect(
            text(registry.page()) == """
                # HELP alive Processes alive.
                # TYPE alive gauge
                alive 1.5
                # HELP empty_total Nothing yet.
                # TYPE empty_total counter
                # HELP http_requests_total Requests answered.
                # TYPE http_requests_total counter
                http_requests_total{route="/a",status="200"} 1
                http_requests_total{route="/b",status="200"} 3

                """)
    }

    @Test func `a histogram counts up to and including each bound`() {
        let waits = registry.histogram("wait_seconds", help: "Waiting.", labels: ["queue"], bounds: [0.5, 1, 10])
        let mail = waits.with("mail")
        for value in [0.1, 0.5, 0.7, 10, 11, .nan] { mail.observe(value) }
        mail.observe(.milliseconds(700))
        #expect(
            text(registry.page()) == """
                # HELP wait_seconds Waiting.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{queue="mail",le="0.5"} 2
                wait_seconds_bucket{queue="mail",le="1"} 4
                wait_seconds_bucket{queue="mail",le="10"} 5
                wait_seconds_bucket{queue="mail",le="+Inf"} 6
                wait_seconds_sum{queue="mail"} 23
                wait_seconds_count{queue="mail"} 6

                """)
    }

    @Test func `label values and help are escaped`() {
        registry.counter("odd_total", help: "A \\ and\na line.", labels: ["path"]).with("a\"b\\c\nd").add()
        #expect(
            text(registry.page()) == #"""
                # HELP odd_total A \\ and\na line.
                # TYPE odd_total counter
                odd_total{path="a\"b\\c\nd"} 1

                """#)
    }

    @Test func `numbers are formatted as integers, in the shortest form, or by name`() {
        let pairs: [(Double, String)] = [
            (0, "0"), (-3, "-3"), (0.1, "0.1"), (1e300, "1e+300"), (1e15, "1000000000000000"), (.nan, "NaN"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"),
        ]
        for (value, printed) in pairs { #expect(PrometheusText.number(value) == printed) }
    }

    @Test func `label values beyond the maximum are counted as other, with one warning`() {
        let log = CollectedLog()
        let registry = MetricRegistry(
            seriesMax: 2, logger: Logger(component: "metrics", level: .info, sink: log))
        let jobs = registry.counter("jobs_total", help: "Jobs.", labels: ["queue"])
        for queue in ["a", "b", "c", "d", "a", "c"] { jobs.with(queue).add() }
        #expect(
            text(registry.page()).hasSuffix(
                "jobs_total{queue=\"a\"} 2\njobs_total{queue=\"b\"} 1\njobs_total{queue=\"other\"} 3\n"))
        #expect(log.records.count == 1)
        #expect(log.records.first?.fields.list.first == LogField("metric", "jobs_total"))
    }

    @Test func `a metric declared twice is one metric`() {
        registry.counter("twice_total", help: "Twice.").add(1)
        registry.counter("twice_total", help: "Twice.").add(2)
        #expect(registry.families().map(\.samples.count) == [1])
        #expect(registry.families()[0].samples[0].value == 3)
    }

    @Test func `additions from several threads are not lost`() async {
        let counter = registry.counter("c_total", help: "C.")
        let gauge = registry.gauge("g", help: "G.")
        let histogram = registry.histogram("h_seconds", help: "H.", bounds: [1])
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<10_000 {
                        counter.add()
                        gauge.add(1)
                        histogram.observe(2)
                    }
                }
            }
        }
        #expect(counter.value == 40_000)
        #expect(gauge.value == 40_000)
        #expect(histogram.samples(labelValues: []).map(\.value) == [0, 40_000, 80_000, 40_000])
    }

    @Test func `families with the same name are merged without duplicates`() {
        registry.counter("jobs_total", help: "Jobs.", labels: ["queue"]).with("a").add(1)
        var elsewhere = MetricFamily(.counter, "jobs_total", help: "Jobs.", labels: ["queue"])
        elsewhere.add(2, "b")
        elsewhere.add(3, "a")
        var depth = MetricFamily(.gauge, "depth", help: "Depth.")
        depth.add(1)
        depth.add(2)
        var contradiction = MetricFamily(.gauge, "depth", help: "Depth.", labels: ["queue"])
        contradiction.add(7, "a")
        #expect(
            text(registry.page(with: [elsewhere, depth, contradiction])) == """
                # HELP depth Depth.
                # TYPE depth gauge
                depth 2
                # HELP jobs_total Jobs.
                # TYPE jobs_total counter
                jobs_total{queue="a"} 4
                jobs_total{queue="b"} 2

                """)
    }

    @Test func `an invalid declaration traps`() async {
        await #expect(processExitsWith: .failure) { _ = MetricDeclaration(.counter, "jobs", help: "No _total.") }
        await #expect(processExitsWith: .failure) { _ = MetricDeclaration(.gauge, "jobs_total", help: "A _total.") }
        await #expect(processExitsWith: .failure) { _ = MetricDeclaration(.gauge, "jobs-open", help: "A hyphen.") }
        await #expect(processExitsWith: .failure) {
            _ = MetricDeclaration(.histogram, "h", help: "Falling bounds.", bounds: [2, 1])
        }
        await #expect(processExitsWith: .failure) {
            let registry = MetricRegistry()
            _ = registry.gauge("a", help: "One.", labels: ["x"])
            _ = registry.gauge("a", help: "Another.", labels: ["y"])
        }
    }
}

struct ProcessMetricsTests {
    private func value(_ name: String) throws -> Double {
        let family = try #require(ProcessMetrics.families().first { $0.declaration.name == name })
        return try #require(family.samples.first).value
    }

    @Test func `process metrics have memory, start time and descriptors`() throws {
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_max_fds") >= value("process_open_fds"))
        let now = Double(WallInstant.now().microseconds) / 1e6
        let age = try now - value("process_start_time_seconds")
        #expect(age > -1 && age < 3_600)
    }

    @Test func `CPU time grows with work`() throws {
        let before = try value("process_cpu_seconds_total")
        let start = ContinuousClock.now
        while try value("process_cpu_seconds_total") - before < 0.01 {
            guard ContinuousClock.now - start < .seconds(10) else {
                Issue.record("no CPU time was counted in ten seconds")
                return
            }
        }
    }

    @Test func `build information has the version as a label`() {
        #expect(
            text(PrometheusText.page([ProcessMetrics.build(version: "1.2.3")])).hasSuffix(
                "jobqueue_build_info{version=\"1.2.3\"} 1\n"))
    }
}
