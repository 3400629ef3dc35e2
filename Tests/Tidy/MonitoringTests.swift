import Foundation
import Testing

/// What Prometheus and Grafana are given speaks of what there is; and each rule that says so can be broken.
@Suite struct MonitoringTests {
    private static let rulesPath = "k8s/monitoring/prometheus-rules.yaml"
    private static let dashboardPath = "k8s/monitoring/dashboard/grafana-dashboard.json"
    private static let jobSelector = #"job="jobqueue""#

    private func expectNone(_ findings: [Finding], _ location: SourceLocation = #_sourceLocation) {
        for finding in findings { Issue.record("\(finding)", sourceLocation: location) }
    }

    private func repositoryMetrics() throws -> [String: Monitoring.Metric] {
        Monitoring.documentedMetrics(try Repository.text("docs/metrics.md"))
    }

    // MARK: The repository

    @Test func `the rules ask for metrics that exist, and every alert has a runbook`() throws {
        let rules = Monitoring.parsedRules(try Repository.text(Self.rulesPath))
        let runbooks = Monitoring.runbooks(try Repository.text("docs/alerts.md"))
        #expect(rules.filter(\.isAlert).count > 20 && rules.contains { !$0.isAlert })
        expectNone(
            Monitoring.faults(
                path: Self.rulesPath, rules, metrics: try repositoryMetrics(), runbooks: runbooks.map(\.alert)))
        expectNone(Monitoring.forgotten(path: "docs/alerts.md", runbooks, rules: rules))
    }

    @Test func `every alert is tested, firing and silent`() throws {
        let tests = try Repository.paths.filter { $0.hasPrefix("Tests/Monitoring/") && $0.hasSuffix(".yaml") }
            .map { try Repository.text($0) }
        #expect(!tests.isEmpty)
        expectNone(Monitoring.untested(Monitoring.parsedRules(try Repository.text(Self.rulesPath)), tests: tests))
    }

    @Test func `the dashboard asks for metrics that exist, and shows all of them`() throws {
        let data = try Data(contentsOf: Repository.root.appendingPathComponent(Self.dashboardPath))
        let expressions = try Monitoring.dashboard(data)
        let metrics = try repositoryMetrics()
        #expect(expressions.count > 30)
        for (title, expression) in expressions {
            for fault in Monitoring.expression(expression, metrics: metrics, jobSelector: Self.jobSelector) {
                Issue.record("\(Self.dashboardPath): \(title) \(fault)")
            }
        }
        let shown = expressions.map(\.expression).joined(separator: "\n")
        let missing = metrics.keys.filter { !shown.contains($0) }.sorted()
        #expect(missing.isEmpty, "the dashboard never shows them")
    }

    // MARK: The rules of the rules

    private static let metrics = Monitoring.documentedMetrics(
        """
        | Metric | Kind | Labels | Meaning |
        |---|---|---|---|
        | `job_created_total` | counter | `queue` | Jobs. |
        | `job_wait_seconds` | histogram | `queue` | Waiting. |
        | `worker_alive` | gauge | | Workers. |
        """)

    private func faults(_ expression: String) -> [String] {
        Monitoring.expression(
            expression, metrics: Self.metrics, recorded: ["jobqueue:job_created:rate5m"],
            jobSelector: Self.jobSelector)
    }

    @Test func `metrics are read with their kinds and labels`() {
        #expect(Self.metrics.count == 3)
        #expect(Self.metrics["job_wait_seconds"] == .init(kind: "histogram", labels: ["queue"]))
        #expect(Self.metrics["worker_alive"] == .init(kind: "gauge", labels: []))
    }

    @Test(arguments: [
        #"max by (namespace, queue) (rate(job_created_total{job="jobqueue",queue=~"a|b"}[5m]))"#,
        #"histogram_quantile(0.99, max by (le) (rate(job_wait_seconds_bucket{ job="jobqueue", le="1" }[$__rate_interval])))"#,
        #"jobqueue:job_created:rate5m > 1e3 unless on (queue) worker_alive{job="jobqueue"} offset 1h == 0"#,
        #"label_values(worker_alive{job="jobqueue"}, namespace)"#,
        #"label_replace(worker_alive{job="jobqueue"}, "queue", "$1", "scope", "gone_total:(.+)")"#,
        #"up{job="jobqueue"} == 0"#,
    ])
    func `an expression over what exists is accepted`(expression: String) {
        #expect(faults(expression) == [])
    }

    @Test(arguments: [
        (#"rate(job_gone_total{job="jobqueue"}[5m])"#, "asks for job_gone_total, which"),
        (#"rate(job_wait_seconds{job="jobqueue"}[5m])"#, "asks for job_wait_seconds, which"),
        (#"worker_alive_bucket{job="jobqueue"}"#, "asks for worker_alive_bucket, which"),
        (#"jobqueue:job_gone:rate5m > 0"#, "asks for jobqueue:job_gone:rate5m, which"),
        (#"worker_alive == 0"#, "asks for worker_alive without job"),
        (#"worker_alive{job="other"}"#, "asks for worker_alive without job"),
        (#"worker_alive{job="jobqueue",queue="a"}"#, "asks for the label queue, which worker_alive"),
        (#"absent(up{job="jobqueue",pod="a"})"#, "asks for the label pod, which up"),
    ])
    func `a metric, a part of a histogram, a label or a job that is not there is found`(
        expression: String, fault: String
    ) {
        let found = faults(expression)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(fault) == true)
    }

    private static let rules = Monitoring.parsedRules(
        """
        spec:
          groups:
            - name: one
              rules:
                - record: jobqueue:job_created:rate5m
                  expr: max by (queue) (rate(job_created_total{job="jobqueue"}[5m]))
                # Why.
                - alert: JobqueueSlow
                  expr: |
                    jobqueue:job_created:rate5m
                    # why
                    > 5
                  for: 5m
                  labels:
                    severity: warning
                  annotations:
                    summary: Slow.
                    description: >-
                      Slower than: ever.
                    runbook: docs/alerts.md#jobqueueslow
                - alert: JobqueueBare
                  expr: worker_gone{job="jobqueue"} > 0
        """)

    @Test func `rules are read with their expressions and members`() throws {
        #expect(Self.rules.map(\.name) == ["jobqueue:job_created:rate5m", "JobqueueSlow", "JobqueueBare"])
        #expect(Self.rules.map(\.isAlert) == [false, true, true])
        #expect(Self.rules[0].expression == #"max by (queue) (rate(job_created_total{job="jobqueue"}[5m]))"#)
        #expect(Self.rules[1].expression == " jobqueue:job_created:rate5m > 5")
        #expect(Self.rules[1].members["for"] == "5m" && Self.rules[1].members["severity"] == "warning")
        #expect(Self.rules[1].line == 8)
    }

    @Test func `an alert without what it needs, and a runbook without its alert, are found`() {
        let runbooks = Monitoring.runbooks(
            "## Alerts\n\n### JobqueueSlow\n\n### JobqueueOld\n\n## Next\n\n### Not one\n")
        #expect(runbooks.map(\.alert) == ["JobqueueSlow", "JobqueueOld"])
        let findings = Monitoring.faults(
            path: "r.yaml", Self.rules, metrics: Self.metrics, runbooks: runbooks.map(\.alert))
        #expect(Set(findings.map(\.line)) == [21])
        #expect(
            findings.map(\.message) == [
                "JobqueueBare asks for worker_gone, which docs/metrics.md does not list",
                "JobqueueBare has no `for`", "JobqueueBare has no `severity`", "JobqueueBare has no `summary`",
                "JobqueueBare has no `description`",
                "JobqueueBare does not lead to docs/alerts.md#jobqueuebare",
                "JobqueueBare has no runbook: no `### JobqueueBare` in docs/alerts.md",
            ])
        #expect(Monitoring.forgotten(path: "o.md", runbooks, rules: Self.rules).map(\.line) == [5])
    }

    @Test func `an alert that is only tested firing, or only silent, is found`() {
        let firing = "      - alertname: JobqueueSlow\n        eval_time: 5m\n"
        let silent = "      - {alertname: JobqueueBare, eval_time: 5m, exp_alerts: []}\n"
        #expect(
            Monitoring.untested(Self.rules, tests: [firing, silent]).map(\.message) == [
                "JobqueueSlow is never tested silent", "JobqueueBare is never tested firing",
            ])
    }

    @Test func `the expressions of a dashboard are found wherever they stand`() throws {
        let text = #"""
            {"panels": [{"title": "Row", "panels": [{"title": "A", "targets": [{"expr": "worker_alive"}]}]}],
             "templating": {"list": [{"name": "queue", "type": "query", "definition": "label_values(a, b)"}]}}
            """#
        let found = try Monitoring.dashboard(Data(text.utf8)).map { "\($0.title): \($0.expression)" }.sorted()
        #expect(found == ["A: worker_alive", "queue: label_values(a, b)"])
    }
}
