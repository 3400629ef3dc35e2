"""Half of the capacity for half an hour: whether memory and tables stay bounded, how long the event loops were busy at
once, and whether a job is lost.

The load has a bit of everything: keys, limits, retries, failures, delays, many queues, large payloads, and a backlog in
a queue whose rate lets few of its jobs start. Ended jobs are removed at once, so that every table should keep its size.
"""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from ..client import Api, fill
from ..context import Context
from ..figure import Figure, percentile
from ..installation import JOB, SCHEMA, wait_until_done
from ..offer import Offer
from ..postgres import Session
from ..processes import Service

_CAPACITY_JOBS = 100_000
_BACKLOG_JOBS = 100_000
_JOBS_PER_POST = 50
_LARGE_POSTS_PER_SECOND = 1
_SAMPLE_SECONDS = 10
_RETENTION = {"succeeded_hours": 0, "failed_hours": 0, "cancelled_hours": 0}
_LIMITS: dict[str, dict[str, object]] = {
    "backlog": {"rate_limit": {"count": 10, "per_seconds": 1}},
    "limited": {"max_running": 20, "max_running_per_key": 2},
}
_QUEUES = ("default", "keyed", "large", *_LIMITS, *(f"queue-{number}" for number in range(50)))
_PERMANENT_FAILURE = '{"type":"fail","payload":{"permanent":true}}'
_TABLES = (
    *("ready", "lease", "scheduled", "low_water_mark", "queue_rate", "worker"),
    *("transition_delta", "transition_total", "queue_transition_total"),
    *("job", "outcome", "event", "attempt_error"),
)
# More than max_running, so that the limit holds the jobs back.
_WORKER = {"WORKER_CONCURRENCY": 100}
# The last third of the time may exceed the first one by this factor and this constant.
_GROWTH_MAX = 1.25
_MEMORY_SLACK_MEBIBYTES = 16
_TABLE_SLACK_MEBIBYTES = 32


def _mix() -> list[str]:
    """The jobs of the steady load, which repeats them."""
    return [_job(number) for number in range(1_000)]


def _job(number: int) -> str:
    kind = number % 20
    if kind < 4:
        return f'{JOB[:-1]},"queue":"keyed","concurrency_key":"key {number}"}}'
    if kind == 4:
        return f'{JOB[:-1]},"queue":"limited","concurrency_key":"key {number}"}}'
    if kind == 5:
        return '{"type":"fail","payload":{"times":1},"backoff":{"kind":"fixed","base_seconds":1}}'
    if kind == 6:
        return f'{JOB[:-1]},"delay_seconds":5}}'
    if kind == 7:
        return f'{JOB[:-1]},"queue":"queue-{number // 20 % 50}","priority":{number % 3}}}'
    if number % 100 == 8:
        return _PERMANENT_FAILURE
    return JOB


@dataclass
class _Soak:
    context: Context
    session: Session
    api: Service
    services: list[Service]
    """All services: those whose memory is sampled."""
    client: Api
    mix: list[str] = field(default_factory=_mix)
    accepted: int = 0
    failures_due: int = 0
    """Accepted jobs that fail permanently. All others succeed."""
    samples: dict[str, list[float]] = field(default_factory=dict)

    def count(self, jobs: int, cycle: list[str]) -> None:
        """Counts the first acknowledged jobs of a repeated list."""
        self.accepted += jobs
        rounds, rest = divmod(jobs, len(cycle))
        self.failures_due += rounds * cycle.count(_PERMANENT_FAILURE) + cycle[:rest].count(_PERMANENT_FAILURE)

    def fill(self, jobs: int, cycle: list[str]) -> None:
        fill(self.api, self.context.installation.key, jobs, cycle)
        self.count(jobs, cycle)

    def sample(self) -> None:
        page = self.client.get("/metrics")
        self._keep("longest turn of api", 1e3 * _metric(page, "process_loop_turn_max_seconds"))
        self._keep("longest turn of worker", 1e3 * _metric(page, "worker_loop_turn_max_seconds"))
        for service in self.services:
            service.require_running()
            self._keep(f"memory of {service.name}", service.resident_mebibytes())
        for table, mebibytes, dead in self.session.rows(_TABLE_SIZES):
            self._keep(f"table {table}", float(mebibytes))
            self._keep(f"dead rows of {table}", float(dead))

    def _keep(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)


def measure(context: Context) -> list[Figure]:
    context.installation.reset()
    with ExitStack() as started:
        session = started.enter_context(context.installation.session())
        reaper = started.enter_context(context.installation.reaper(RETENTION_INTERVAL_SECONDS=5))
        api = started.enter_context(context.installation.api())
        client = started.enter_context(Api(api, context.installation.key))
        for queue in _QUEUES:
            client.change("PUT", f"/api/queues/{queue}", retention=_RETENTION, **_LIMITS.get(queue, {}))
        soak = _Soak(context, session, api, [api, reaper], client)
        # A delay would be part of the duration.
        prompt = [job for job in soak.mix if "delay_seconds" not in job]
        began_at = time.monotonic()
        soak.fill(_CAPACITY_JOBS, prompt)
        worker = started.enter_context(context.installation.worker(**_WORKER))
        soak.services.append(worker)
        wait_until_done(session, worker)
        # Creating and running the jobs one after the other takes as long as both at once, on the same processors.
        capacity = _CAPACITY_JOBS / (time.monotonic() - began_at)
        context.say(f"capacity: {capacity:.0f} jobs/s")
        soak.fill(_BACKLOG_JOBS, [f'{JOB[:-1]},"queue":"backlog"}}'])
        figures = _offer(soak, capacity)
        client.change("PUT", "/api/queues/backlog", retention=_RETENTION)
        wait_until_done(session, worker)
        # From now on nothing changes, so that two reads can be compared.
        reaper.stop()
        _require_counts(soak)
    return figures + _growth(soak)


def _offer(soak: _Soak, capacity: float) -> list[Figure]:
    context, api, key = soak.context, soak.api, soak.context.installation.key
    large = [
        f'{{"type":"echo","queue":"large","payload":"{"x" * size}"}}' for size in (256_000, 512_000, 768_000, 1_048_000)
    ]

    def post(client: Api, posted: int) -> int:
        return client.create_many(_JOBS_PER_POST, soak.mix, posted)

    def post_large(client: Api, posted: int) -> int:
        client.create(large[posted % len(large)])
        return 1

    began_at = time.monotonic()
    with (
        Offer(api, key, capacity / 2 / _JOBS_PER_POST, post) as steady,
        Offer(api, key, _LARGE_POSTS_PER_SECOND, post_large) as heavy,
    ):
        minute = 0
        while (elapsed := time.monotonic() - began_at) < context.settings.soak_minutes * 60:
            if elapsed >= minute * 60:
                context.say(f"minute {minute} of {context.settings.soak_minutes:g}: {steady.posted} jobs")
                minute += 1
            time.sleep(_SAMPLE_SECONDS)
            steady.require_running()
            heavy.require_running()
            soak.sample()
    rate = steady.posted / (time.monotonic() - began_at)
    soak.count(steady.posted, soak.mix)
    soak.count(heavy.posted, large)
    return [
        Figure("jobs offered", "jobs/s", [rate], "capacity", [capacity]),
        _durations(f"POST of {_JOBS_PER_POST} jobs, p99", steady.milliseconds),
        _durations("POST of a large job, p99", heavy.milliseconds),
    ]


def _durations(name: str, times: list[float]) -> Figure:
    return Figure(name, "ms", [percentile(times, 0.99)], details={"p50": median(times), "max": max(times)})


def _growth(soak: _Soak) -> list[Figure]:
    figures: list[Figure] = []
    for name, values in soak.samples.items():
        if name.startswith("longest turn"):
            figures.append(Figure(name, "ms", [max(values)], details={"median": median(values)}))
        elif name.startswith("memory of"):
            figures.append(_slope(soak, name, values, _MEMORY_SLACK_MEBIBYTES, {}))
        elif name.startswith("table"):
            dead = soak.samples[name.replace("table", "dead rows of")]
            details = {"most_dead_rows": max(dead), "dead_rows_at_the_end": dead[-1]}
            figures.append(_slope(soak, name, values, _TABLE_SLACK_MEBIBYTES, details))
    return figures


def _slope(soak: _Soak, name: str, values: list[float], slack: float, details: dict[str, float]) -> Figure:
    """The last third of the time beside the first one. It is a failure if it is much more."""
    third = max(1, len(values) // 3)
    first, last = median(values[:third]), median(values[-third:])
    if last > first * _GROWTH_MAX + slack:
        soak.context.fail(f"{name} grew from {first:.0f} to {last:.0f} MiB")
    return Figure(name, "MiB", [last], "first third", [first], details={"max": max(values)} | details)


def _require_counts(soak: _Soak) -> None:
    """Compares the jobs that were acknowledged with the counters, the tables and the metrics."""
    # A report of the metrics is up to a second old.
    time.sleep(3)
    # The api has closed the connection of the samples if the jobs took long to end.
    with Api(soak.api, soak.context.installation.key) as client:
        page, session = client.get("/metrics"), soak.session
    transitions = {name: int(n) for name, n in session.rows(_TRANSITIONS)}
    created = transitions.get("enqueued", 0) + transitions.get("delayed", 0)
    removed = sum(n for name, n in transitions.items() if name.startswith("removed_"))
    depths = {status: int(n) for status, n in session.rows(_DEPTHS)}
    stored = {status: int(n) for status, n in session.rows(_STORED)}
    succeeded = soak.accepted - soak.failures_due
    comparisons: Iterable[tuple[str, int | float, int | float]] = [
        ("created jobs", created, soak.accepted),
        ("jobs of all statuses, and removed ones", sum(depths.values()) + removed, soak.accepted),
        ("succeeded jobs", transitions.get("succeeded", 0), succeeded),
        ("failed jobs", transitions.get("failed", 0), soak.failures_due),
        ("job_created_total", _metric(page, "job_created_total"), soak.accepted),
        ("job_completed_total", _metric(page, "job_completed_total"), succeeded),
        ("job_failed_total", _metric(page, "job_failed_total"), soak.failures_due),
        *((f"depth of {status}", n, stored.get(status, 0)) for status, n in depths.items()),
        *((f"stored {status} jobs", n, depths.get(status, 0)) for status, n in stored.items()),
        *(
            (f"job_queue_depth of {status}", _metric(page, "job_queue_depth", f'status="{status}"'), n)
            for status, n in depths.items()
        ),
    ]
    soak.context.say(f"{soak.accepted} jobs accepted, {soak.failures_due} of them to fail, {removed} removed")
    for name, found, expected in comparisons:
        if found != expected:
            soak.context.fail(f"{name}: {found:.0f} instead of {expected:.0f}")


def _metric(page: str, name: str, label: str = "") -> float:
    """The sum of the series of a metric, or of those with a label."""
    series = (line for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{")) and label in line)
    return sum(float(line.rsplit(" ", 1)[1]) for line in series)


_TRANSITIONS = f"SELECT transition, sum(n) FROM {SCHEMA}.transition_count GROUP BY transition"
_DEPTHS = f"SELECT status, sum(n) FROM {SCHEMA}.depth GROUP BY status"
_STORED = f"SELECT status, count(*) FROM {SCHEMA}.jobs GROUP BY status"
# Partitions count for their parent.
_TABLE_SIZES = f"""
SELECT t.name, sum(pg_total_relation_size(t.oid)) / 1048576, sum(pg_stat_get_dead_tuples(t.oid))
FROM (SELECT c.oid, COALESCE(p.relname, c.relname) AS name
      FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
      WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'r') t
WHERE t.name IN ({", ".join(f"'{table}'" for table in _TABLES)})
GROUP BY t.name ORDER BY t.name"""
