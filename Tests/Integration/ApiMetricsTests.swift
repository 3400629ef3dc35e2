import Glibc
import TestKit
import Testing

@Suite struct ApiMetricsTests {
    /// Name, kind and labels of each row of `docs/metrics.md`.
    private func documented() throws -> [String: (kind: String, labels: [String])] {
        let root = TestDatabase.migrationsDirectory.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let path = root.joined(separator: "/") + "/docs/metrics.md"
        let file = try #require(fopen(path, "r"), "\(path)")
        defer { fclose(file) }
        var metrics: [String: (kind: String, labels: [String])] = [:]
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
            let cells = text.split(separator: "|", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
            guard cells.count > 5, ["counter", "gauge", "histogram"].contains(cells[2]) else { continue }
            let labels = cells[3].split(separator: ",").map { $0.filter { $0 != "`" } }
            metrics[cells[1].filter { $0 != "`" }] = (cells[2], labels)
        }
        return metrics
    }

    @Test func `the page and the documentation have the same metrics`() async throws {
        let documented = try documented()
        #expect(documented.count > 25)
        try await withApi { api, _ in
            _ = try await api.createJob()
            let page = try await api.stranger.get("/metrics")
            #expect(page["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
            var shown: [String: String] = [:]
            for line in page.text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                shown[String(words[2])] = String(words[3])
            }
            #expect(shown == documented.mapValues(\.kind))

            for line in page.text.split(separator: "\n") where !line.hasPrefix("#") {
                let match = try #require(
                    try /([a-z_]+)(?:\{(.*)\})? (?:[0-9.e+-]+|NaN|\+Inf)/.wholeMatch(in: line), "\(line)")
                let names = match.output.2?.matches(of: /([a-z]+)="/).map { String($0.output.1) } ?? []
                let name = documented.keys.first { key in
                    ["", "_bucket", "_sum", "_count"].contains { match.output.1 == key + $0 }
                }
                let labels = try #require(name.flatMap { documented[$0]?.labels }, "\(line)")
                #expect(names.filter { $0 != "le" } == labels, "\(line)")
            }
        }
    }

    @Test func `cluster-wide metrics are equal on every replica, and survive it`() async throws {
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            let first = try await services.startApi(database.url)
            let second = try await services.startApi(database.url)
            for _ in 0..<3 { _ = try await first.createJob(#"{"type":"a","queue":"mail"}"#) }
            let id = try await second.createJob(#"{"type":"a","queue":"mail"}"#)
            _ = try await second.client.request("POST", "/api/jobs/\(id)/cancel")
            for api in [first, second, try await services.startApi(database.url)] {
                let page = try await api.stranger.get("/metrics").text
                for line in [
                    #"job_created_total{queue="mail"} 4"#, #"job_cancelled_total{queue="mail"} 1"#,
                    #"job_completed_total{queue="mail"} 0"#, #"job_queue_depth{queue="mail",status="queued"} 3"#,
                    #"job_queue_depth{queue="mail",status="cancelled"} 1"#, "jobqueue_database_up 1",
                    "worker_alive 0",
                ] {
                    #expect(page.contains("\n\(line)\n"), "\(line)")
                }
            }
        }
    }
}
