import Foundation

/// What Prometheus and Grafana are given (k8s/monitoring) against what they speak of: the metrics that there are, and the
/// runbooks that people are sent to. Whether the rules do what they should, Scripts/check-rules.sh tries.
enum Monitoring {
    /// A metric as docs/metrics.md lists it.
    struct Metric: Equatable {
        var kind: String
        var labels: [String]
    }

    /// What Prometheus adds: whether a scrape succeeded.
    private static let ofPrometheus = ["up"]

    /// What PromQL itself reads as a name where a metric could stand.
    private static let words: Set<String> = [
        "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool",
    ]

    // MARK: Documents

    /// The metrics in the tables of docs/metrics.md, by name.
    static func documentedMetrics(_ text: String) -> [String: Metric] {
        var metrics: [String: Metric] = [:]
        for line in text.split(separator: "\n") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.filter { $0 != " " && $0 != "`" } }
            guard cells.count > 5, ["counter", "gauge", "histogram"].contains(cells[2]) else { continue }
            metrics[cells[1]] = Metric(kind: cells[2], labels: cells[3].split(separator: ",").map(String.init))
        }
        return metrics
    }

    /// The alerts that have a runbook: each heading of the third level below `## Alerts`, with its line.
    static func runbooks(_ text: String) -> [(line: Int, alert: String)] {
        var runbooks: [(line: Int, alert: String)] = []
        var isInAlerts = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("## ") { isInAlerts = line == "## Alerts" }
            if isInAlerts, line.hasPrefix("### ") { runbooks.append((index + 1, String(line.dropFirst(4)))) }
        }
        return runbooks
    }

    // MARK: Rules

    /// One rule of prometheus-rules.yaml.
    struct Rule: Equatable {
        var line: Int
        /// `JobqueueApiDown` of an alert, `jobqueue:job_created:rate5m` of what is recorded.
        var name: String
        var isAlert: Bool
        var expression = ""
        /// The other members, those of `labels` and `annotations` included.
        var members: [String: String] = [:]
    }

    /// Reads the layout that the file has: one member a line, and deeper lines for what is longer.
    static func parsedRules(_ text: String) -> [Rule] {
        var rules: [Rule] = []
        var member = (name: "", depth: 0)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.drop { $0 == " " || $0 == "-" }
            let depth = line.count - content.count
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            if let match = content.wholeMatch(of: /(alert|record): (\S+)/) {
                rules.append(Rule(line: index + 1, name: String(match.output.2), isAlert: match.output.1 == "alert"))
                member = ("", depth)
            } else if let last = rules.indices.last {
                if depth > member.depth, member.name == "expr" {
                    rules[last].expression += " " + content
                } else if let match = content.wholeMatch(of: /([a-z_]+):(.*)/) {
                    member = (String(match.output.1), depth)
                    let value = match.output.2.drop { $0 == " " }
                    if member.name != "expr" {
                        rules[last].members[member.name] = String(value)
                    } else if value != "|" {
                        rules[last].expression = String(value)
                    }
                }
            }
        }
        return rules
    }

    /// What is wrong with the rules: names that no page of metrics shows, series of others, and what an alert lacks.
    static func faults(
        path: String, _ rules: [Rule], metrics: [String: Metric], runbooks: [String]
    ) -> [Finding] {
        let recorded = Set(rules.filter { !$0.isAlert }.map(\.name))
        return rules.flatMap { rule in
            expression(rule.expression, metrics: metrics, recorded: recorded, jobSelector: #"job="jobqueue""#)
                .map { Finding(path: path, line: rule.line, message: "\(rule.name) \($0)") }
                + (rule.isAlert ? lacking(rule, runbooks: runbooks) : [])
                .map { Finding(path: path, line: rule.line, message: "\(rule.name) \($0)") }
        }
    }

    private static func lacking(_ alert: Rule, runbooks: [String]) -> [String] {
        var lacks = ["for", "severity", "summary", "description"]
            .filter { alert.members[$0, default: ""].isEmpty }.map { "has no `\($0)`" }
        let runbook = "docs/alerts.md#\(alert.name.lowercased())"
        if alert.members["runbook"] != runbook { lacks.append("does not lead to \(runbook)") }
        if !runbooks.contains(alert.name) {
            lacks.append("has no runbook: no `### \(alert.name)` in docs/alerts.md")
        }
        return lacks
    }

    /// Runbooks of alerts that are no more.
    static func forgotten(
        path: String, _ runbooks: [(line: Int, alert: String)], rules: [Rule]
    ) -> [Finding] {
        let alerts = Set(rules.filter(\.isAlert).map(\.name))
        return runbooks.filter { !alerts.contains($0.alert) }.map {
            Finding(path: path, line: $0.line, message: "\($0.alert) is the runbook of no alert")
        }
    }

    /// Alerts without a test that shows them firing, and without one that shows them silent.
    /// - Parameter tests: the texts of the files in Tests/Monitoring.
    static func untested(_ rules: [Rule], tests: [String]) -> [Finding] {
        let text = tests.joined(separator: "\n")
        return rules.filter(\.isAlert).flatMap { rule in
            // The two shapes that the tests have: on one line with `exp_alerts: []`, and on several with what is expected.
            let isSeenSilent = text.contains("{alertname: \(rule.name), eval_time: ")
            let isSeenFiring = text.contains("- alertname: \(rule.name)\n")
            return ((isSeenFiring ? [] : ["firing"]) + (isSeenSilent ? [] : ["silent"])).map {
                Finding(path: "Tests/Monitoring", line: nil, message: "\(rule.name) is never tested \($0)")
            }
        }
    }

    // MARK: PromQL

    /// What is wrong with an expression: a metric that does not exist, a histogram without its suffix (or another metric
    /// with one), a label that the metric does not have, a selector that also takes the series of others.
    static func expression(
        _ text: String, metrics: [String: Metric], recorded: Set<String> = [], jobSelector: String
    ) -> [String] {
        var faults: [String] = []
        for selector in selectors(text) where !recorded.contains(selector.name) {
            guard let metric = metric(selector.name, in: metrics) else {
                faults.append("asks for \(selector.name), which docs/metrics.md does not list")
                continue
            }
            if !selector.matchers.contains(jobSelector) {
                faults.append("asks for \(selector.name) without \(jobSelector)")
            }
            let known = metric.labels + ["job", "namespace", "instance"] + (metric.kind == "histogram" ? ["le"] : [])
            for match in selector.matchers.matches(of: /([a-z_]+)(?:=~|!~|!=|=)"/)
            where !known.contains(String(match.output.1)) {
                faults.append("asks for the label \(match.output.1), which \(selector.name) does not have")
            }
        }
        return faults
    }

    private static func metric(_ name: String, in metrics: [String: Metric]) -> Metric? {
        if ofPrometheus.contains(name) { return Metric(kind: "gauge", labels: []) }
        if let metric = metrics[name], metric.kind != "histogram" { return metric }
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            if let metric = metrics[String(name.dropLast(suffix.count))], metric.kind == "histogram" { return metric }
        }
        return nil
    }

    struct Selector: Equatable {
        var name: String
        var matchers: String
    }

    /// The names in an expression that stand for series, with what stands in braces behind them.
    static func selectors(_ text: String) -> [Selector] {
        // The labels in by (...) are names too, and so is the one that Grafana's label_values asks for.
        let code = text.replacing(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/, with: "")
            .replacing(/^label_values\((.*),\s*\w+\)$/) { match in String(match.output.1) }
            .replacing(/\{([^}]*)\}/) { match in "{" + match.output.1.filter { $0 != " " } + "}" }
        return code.matches(of: /"[^"]*"|\{([^}]*)\}|\[[^\]]*\]|\b([a-zA-Z_:][a-zA-Z0-9_:]*)(\s*\(|\{([^}]*)\})?/)
            .compactMap { match in
                guard let name = match.output.2, !words.contains(String(name)) else { return nil }
                if let behind = match.output.3, match.output.4 == nil, behind.hasSuffix("(") { return nil }
                return Selector(name: String(name), matchers: match.output.4.map(String.init) ?? "")
            }
    }

    // MARK: The dashboard

    /// Every expression of the dashboard, those of its variables included, with the title of the panel.
    static func dashboard(_ data: Data) throws -> [(title: String, expression: String)] {
        var expressions: [(title: String, expression: String)] = []
        func walk(_ value: Any, title: String) {
            if let members = value as? [String: Any] {
                let own = members["title"] as? String ?? members["name"] as? String ?? title
                if let expression = members["expr"] as? String { expressions.append((title, expression)) }
                if members["type"] as? String == "query", let query = members["definition"] as? String {
                    expressions.append((own, query))
                }
                for (_, member) in members { walk(member, title: own) }
            } else if let elements = value as? [Any] {
                for element in elements { walk(element, title: title) }
            }
        }
        walk(try JSONSerialization.jsonObject(with: data), title: "")
        return expressions
    }
}
