"""Each rule of check.py finds what breaks it, and nothing in what keeps it."""

import unittest

import check

METRICS = check.documented_metrics(
    """
| Metric | Kind | Labels | Meaning |
|---|---|---|---|
| `job_created_total` | counter | `queue` | Jobs. |
| `job_wait_seconds` | histogram | `queue`, `type` | Waiting. |
| `worker_alive` | gauge | | Workers. |
"""
)
KNOWN = check.series(METRICS)
RECORDED = {"jobqueue:job_created:rate5m"}


def rule(name, **members):
    alert = {
        "alert": name,
        "expr": 'worker_alive{job="jobqueue"} == 0',
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {"summary": "S.", "description": "D.", "runbook": f"api.md#{name.lower()}"},
    }
    return alert | members


class MetricsTest(unittest.TestCase):
    def test_metrics_have_their_kinds_and_labels(self):
        self.assertEqual(METRICS["job_wait_seconds"], ("histogram", {"queue", "type"}))
        self.assertEqual(METRICS["worker_alive"], ("gauge", set()))
        self.assertEqual(len(METRICS), 3)


class ExpressionTest(unittest.TestCase):
    def test_what_exists_is_accepted(self):
        for expression in [
            'max by (namespace, queue) (rate(job_created_total{job="jobqueue",queue=~"a|b"}[5m]))',
            'histogram_quantile(0.99, max by (le) (rate(job_wait_seconds_bucket{ job="jobqueue", le="1" }[1m])))',
            'jobqueue:job_created:rate5m > 1e3 unless on (queue) worker_alive{job="jobqueue"} offset 1h == 0',
            'label_replace(worker_alive{job="jobqueue"}, "queue", "$1", "scope", "gone_total:(.+)")',
            'up{job="jobqueue"} == 0',
        ]:
            self.assertEqual(check.faults(expression, KNOWN, RECORDED), [], expression)

    def test_what_does_not_exist_is_found(self):
        for expression, fault in [
            ('rate(job_gone_total{job="jobqueue"}[5m])', "selects job_gone_total, which"),
            ('rate(job_wait_seconds{job="jobqueue"}[5m])', "selects job_wait_seconds, which"),
            ('worker_alive_bucket{job="jobqueue"}', "selects worker_alive_bucket, which"),
            ("jobqueue:job_gone:rate5m > 0", "selects jobqueue:job_gone:rate5m, which"),
            ("worker_alive == 0", "selects worker_alive without job"),
            ('worker_alive{job="other"}', "selects worker_alive without job"),
            ('worker_alive{job!="jobqueue"}', "selects worker_alive without job"),
            ('worker_alive{job="jobqueue",queue="a"}', "matches the label queue, which worker_alive"),
            ('job_wait_seconds_sum{job="jobqueue",le="1"}', "matches the label le, which job_wait_seconds_sum"),
            ('absent(up{job="jobqueue",pod="a"})', "matches the label pod, which up"),
        ]:
            found = check.faults(expression, KNOWN, RECORDED)
            self.assertEqual(len(found), 1, expression)
            self.assertTrue(found[0].startswith(fault), found)


class RulesTest(unittest.TestCase):
    def faults(self, *rules, headings=("JobqueueSlow",)):
        return check.rule_faults(list(rules), KNOWN, lambda document: headings if document == "api.md" else ())

    def test_a_whole_alert_is_accepted(self):
        record = {"record": "a:b", "expr": 'max(worker_alive{job="jobqueue"})'}
        self.assertEqual(self.faults(record, rule("JobqueueSlow", expr="a:b > 1")), [])

    def test_an_expression_is_checked(self):
        self.assertEqual(len(self.faults(rule("JobqueueSlow", expr="gone > 1"))), 1)
        self.assertEqual(len(self.faults(rule("JobqueueSlow"), {"record": "a", "expr": "gone"})), 1)

    def test_what_an_alert_lacks_is_found(self):
        self.assertEqual(self.faults(rule("JobqueueSlow", **{"for": ""})), ["JobqueueSlow has no `for`"])
        for labels in [None, {}, {"severity": ""}]:
            self.assertEqual(self.faults(rule("JobqueueSlow", labels=labels)), ["JobqueueSlow has no `severity`"])
        self.assertEqual(len(self.faults(rule("JobqueueSlow", annotations=None))), 3)
        found = self.faults(rule("JobqueueSlow", annotations={"runbook": "api.md#jobqueueslow"}))
        self.assertEqual(found, ["JobqueueSlow has no `summary`", "JobqueueSlow has no `description`"])

    def test_a_runbook_is_a_heading(self):
        for runbook in ["", "api.md", "api.md#other", "sql.md#jobqueueslow"]:
            notes = {"summary": "S.", "description": "D.", "runbook": runbook}
            self.assertTrue(self.faults(rule("JobqueueSlow", annotations=notes)), runbook)
        self.assertTrue(self.faults(rule("JobqueueSlow"), headings=()))

    def test_a_runbook_without_its_alert_is_found(self):
        found = self.faults(rule("JobqueueSlow"), headings=("JobqueueSlow", "JobqueueOld", "Other"))
        self.assertEqual(found, ["api.md: JobqueueOld is the runbook of no alert"])

    def test_an_alert_is_tested_firing_and_silent(self):
        cases = [
            {"alertname": "JobqueueA", "exp_alerts": [{}]},
            {"alertname": "JobqueueB", "exp_alerts": []},
            {"alertname": "JobqueueC", "exp_alerts": [{}]},
            {"alertname": "JobqueueC"},
        ]
        tests = [{"tests": [{"alert_rule_test": cases}, {"input_series": []}]}]
        self.assertEqual(
            check.untested([rule("JobqueueA"), rule("JobqueueB"), rule("JobqueueC")], tests),
            ["JobqueueB is never tested firing", "JobqueueA is never tested silent"],
        )


class DashboardTest(unittest.TestCase):
    def dashboard(self, *expressions):
        panels = [{"title": "A", "targets": [{"expr": expression}]} for expression in expressions]
        variable = {
            "name": "queue",
            "type": "query",
            "definition": 'label_values(job_created_total{job="jobqueue"}, queue)',
        }
        return {"panels": [{"title": "Row", "panels": panels}], "templating": {"list": [variable]}}

    def test_expressions_are_found_wherever_they_are(self):
        found = check.dashboard_expressions(self.dashboard("x"))
        self.assertEqual(found, [("A", "x"), ("queue", 'label_values(job_created_total{job="jobqueue"}, queue)')])

    def test_all_metrics_are_shown_and_no_others(self):
        wait = 'rate(job_wait_seconds_sum{job="jobqueue"}[$__rate_interval])'
        self.assertEqual(check.dashboard_faults(self.dashboard('worker_alive{job="jobqueue"}', wait), METRICS), [])
        self.assertEqual(check.dashboard_faults(self.dashboard(wait), METRICS), ["never shows worker_alive"])
        found = check.dashboard_faults(self.dashboard('worker_alive{job="jobqueue"}', wait, "gone"), METRICS)
        self.assertEqual(found, ["A selects gone, which docs/metrics.md does not have"])


if __name__ == "__main__":
    unittest.main()
