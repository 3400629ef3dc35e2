"""Checks the Prometheus rules and the Grafana dashboard of k8s/monitoring against the documents.

promtool checks the rules themselves (Scripts/check-rules.sh); this checks what only this repository knows: the metrics
that exist (docs/metrics.md), the runbook of each alert, and that each alert has its tests.
"""

import json
import re
import sys
from pathlib import Path

import promql_parser
import yaml

RULES = "k8s/monitoring/prometheus-rules.yaml"
DASHBOARD = "k8s/monitoring/dashboard/grafana-dashboard.json"
METRICS = "docs/metrics.md"
TESTS = "Tests/Monitoring"

# Prometheus adds the first by itself, and the labels to every series.
OF_PROMETHEUS = {"up": ("gauge", set())}
LABELS_OF_SCRAPE = {"job", "namespace", "instance"}


def documented_metrics(text):
    """The metrics in the tables of a document: name -> (kind, labels)."""
    row = re.compile(r"^\| *`(\w+)` *\| *(counter|gauge|histogram) *\|([^|]*)\|", re.MULTILINE)
    return {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in row.findall(text)}


def series(metrics):
    """The series that a page of these metrics has: name -> labels."""
    found = {}
    for name, (kind, labels) in (OF_PROMETHEUS | metrics).items():
        if kind == "histogram":
            found |= {f"{name}_{suffix}": labels for suffix in ("sum", "count")}
            found[f"{name}_bucket"] = labels | {"le"}
        else:
            found[name] = labels
    return found


def selectors(expression):
    """The selectors of a PromQL expression: name and matchers of each."""
    found = []

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, list(node.matchers.matchers)))

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def faults(expression, known, recorded=()):
    """What is wrong with an expression over the series `known` and the recorded ones."""
    found = []
    for name, matchers in selectors(expression):
        if name in recorded:
            continue
        if name not in known:
            found.append(f"selects {name}, which {METRICS} does not have")
            continue
        # Other programs have metrics of the same names.
        if not any(m.name == "job" and m.op == promql_parser.MatchOp.Equal and m.value == "jobqueue" for m in matchers):
            found.append(f'selects {name} without job="jobqueue"')
        unknown = {m.name for m in matchers} - known[name] - LABELS_OF_SCRAPE
        found += [f"matches the label {label}, which {name} does not have" for label in sorted(unknown)]
    return found


def rule_faults(rules, known, headings):
    """What is wrong with the rules. `headings` gives the headings of the third level of a document."""
    recorded = {rule["record"] for rule in rules if "record" in rule}
    alerts = [rule for rule in rules if "alert" in rule]
    found = []
    for rule in rules:
        name = rule.get("alert", rule.get("record"))
        found += [f"{name} {fault}" for fault in faults(rule["expr"], known, recorded)]
    for alert in alerts:
        # YAML reads a member without content as None.
        name, notes, labels = alert["alert"], alert.get("annotations") or {}, alert.get("labels") or {}
        needed = {"for": alert, "severity": labels, "summary": notes, "description": notes}
        found += [f"{name} has no `{member}`" for member, owner in needed.items() if not owner.get(member)]
        document, _, anchor = notes.get("runbook", "").partition("#")
        if anchor != name.lower() or name not in headings(document):
            found.append(f"{name} has no `runbook` that is the heading `### {name}` of a document")
    names = {alert["alert"] for alert in alerts}
    runbooks = [(alert.get("annotations") or {}).get("runbook", "") for alert in alerts]
    for document in sorted({runbook.partition("#")[0] for runbook in runbooks}):
        orphans = [h for h in headings(document) if h.startswith("Jobqueue") and h not in names]
        found += [f"{document}: {heading} is the runbook of no alert" for heading in orphans]
    return found


def untested(rules, tests):
    """The alerts that no test of promtool shows firing, or none shows silent."""
    cases = [case for test in tests for block in test["tests"] for case in block.get("alert_rule_test", [])]
    firing = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    alerts = [rule["alert"] for rule in rules if "alert" in rule]
    return [f"{alert} is never tested firing" for alert in alerts if alert not in firing] + [
        f"{alert} is never tested silent" for alert in alerts if alert not in silent
    ]


def dashboard_expressions(value, title=""):
    """Every expression of a dashboard with the title of its panel, those of variables included."""
    if isinstance(value, list):
        return [found for element in value for found in dashboard_expressions(element, title)]
    if not isinstance(value, dict):
        return []
    title = value.get("title", value.get("name", title))
    found = [(title, value["expr"])] if isinstance(value.get("expr"), str) else []
    if value.get("type") == "query" and isinstance(value.get("definition"), str):
        found.append((title, value["definition"]))
    return found + [found for member in value.values() for found in dashboard_expressions(member, title)]


def as_promql(expression):
    """An expression of Grafana without what only Grafana understands."""
    if wanted := re.fullmatch(r"label_values\((.*), *\w+\)", expression):
        expression = wanted[1]
    return expression.replace("$__rate_interval", "5m")


def dashboard_faults(dashboard, metrics):
    known, shown, found = series(metrics), set(), []
    for title, expression in dashboard_expressions(dashboard):
        expression = as_promql(expression)
        found += [f"{title} {fault}" for fault in faults(expression, known)]
        shown |= {name for name, _ in selectors(expression)}
    # A histogram is shown by any of its series.
    return found + [f"never shows {name}" for name in sorted(metrics) if not shown & series({name: metrics[name]}).keys()]


def document_headings(document):
    path = Path(document)
    return re.findall(r"^### (\w+)$", path.read_text(), re.MULTILINE) if document and path.is_file() else []


def main():
    metrics = documented_metrics(Path(METRICS).read_text())
    groups = yaml.safe_load(Path(RULES).read_text())["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    tests = [yaml.safe_load(path.read_text()) for path in sorted(Path(TESTS).glob("*.yaml"))]
    dashboard = json.loads(Path(DASHBOARD).read_text())
    found = [f"{RULES}: {fault}" for fault in rule_faults(rules, series(metrics), document_headings)]
    found += [f"{TESTS}: {fault}" for fault in untested(rules, tests)]
    found += [f"{DASHBOARD}: {fault}" for fault in dashboard_faults(dashboard, metrics)]
    for fault in found:
        print(fault, file=sys.stderr)
    count = len(dashboard_expressions(dashboard))
    print(f"{len(rules)} rules and {count} expressions over {len(metrics)} metrics: {len(found)} faults")
    # Where nothing was read, nothing was checked.
    sys.exit(1 if found or len(rules) < 20 or count < 30 or len(metrics) < 30 else 0)


if __name__ == "__main__":
    main()
