"""Cost of a lease and of the reports with ten and with ten thousand queues that have ready jobs."""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

from ..client import Api, fill
from ..context import Context
from ..figure import Figure, medians, percentile, ratio_at_most
from ..installation import JOB, SCHEMA
from ..offer import Offer
from ..postgres import Session
from ..processes import Service
from ..statements import Kind, Statements

_FEW, _MANY = 10, 10_000
_JOBS_PER_QUEUE = 10
# Fixed, so that the same statements lease from few and from many queues.
_WORKER = {
    "WORKER_CONCURRENCY": 200,
    "WORKER_BATCH_SIZE": 100,
    "WORKER_BATCH_MAX": 100,
    "WORKER_SHUTDOWN_GRACE_SECONDS": 0,
}
_POSTS_PER_SECOND = 50
# Between two reads of a report: without a pause the reads would take all processors.
_PAUSE_SECONDS = 0.02
_CURSOR_BYTES_MAX = 1_000
_NEXT_CURSOR = re.compile(r'"next_cursor":\s*"([^"]+)"')


@dataclass(frozen=True)
class _Found:
    lease_us: float
    reports: dict[str, dict[str, float]]
    """For each report, and for the POSTs, the percentiles in milliseconds."""


def measure(context: Context) -> list[Figure]:
    found: dict[int, list[_Found]] = {_FEW: [], _MANY: []}
    for _ in context.rounds():
        for queues, rounds in found.items():
            rounds.append(_measure(context, queues))
            context.say(f"{queues:,} queues: lease {rounds[-1].lease_us:.1f} us a job")
    few, many = found[_FEW], found[_MANY]
    raw = f"{_FEW} queues"
    figures = [
        Figure(
            f"lease statement, {_MANY:,} queues",
            "us/job",
            [found.lease_us for found in many],
            raw,
            [found.lease_us for found in few],
            ratio_at_most(1.1),
        )
    ]
    for report in many[0].reports:
        figures += _figures(report, [found.reports[report] for found in many], [found.reports[report] for found in few])
    return figures


def _figures(report: str, many: list[dict[str, float]], few: list[dict[str, float]]) -> list[Figure]:
    def figure(share: str, details: dict[str, float]) -> Figure:
        ours, raw = [times[share] for times in many], [times[share] for times in few]
        return Figure(f"{report}, {_MANY:,} queues, {share}", "ms", ours, f"{_FEW} queues", raw, details=details)

    maxima = {"max": medians(many)["max"], f"max_of_{_FEW}_queues": medians(few)["max"]}
    return [figure("p50", {}), figure("p99", maxima)]


def _measure(context: Context, queues: int) -> _Found:
    context.installation.reset()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.reaper(),
        context.installation.api() as api,
    ):
        # The same number of jobs in few queues as in many.
        jobs = [f'{JOB[:-1]},"queue":"queue-{number}"}}' for number in range(queues)]
        fill(api, context.installation.key, _MANY * _JOBS_PER_QUEUE, jobs)
        # Otherwise autovacuum might do this during the measurement.
        superuser.execute(f"VACUUM ANALYZE {SCHEMA}.job, {SCHEMA}.ready, {SCHEMA}.queue, {SCHEMA}.subqueue")
        superuser.execute("CHECKPOINT")
        reports = _reports(context, api)
        return _Found(_lease_us(context, superuser), reports)


def _lease_us(context: Context, superuser: Session) -> float:
    """Leases half of the jobs, so that thousands of queues have jobs to the end."""
    leased = f"SELECT COALESCE(sum(n), 0) FROM {SCHEMA}.transition_count WHERE transition = 'leased'"
    before = superuser.integer(leased)
    Statements.reset(superuser)
    with context.installation.worker(**_WORKER) as worker:
        # The statistics of the statement are cheap to read, unlike the counters of ten thousand queues.
        while Statements.read_any(superuser, Kind.LEASE).rows < _MANY * _JOBS_PER_QUEUE // 2:
            worker.require_running()
            time.sleep(0.05)
    # Some of the returned rows are no jobs, so the jobs are counted separately.
    jobs = superuser.integer(leased) - before
    return Statements.read(superuser, Kind.LEASE).milliseconds * 1e3 / jobs


def _reports(context: Context, api: Service) -> dict[str, dict[str, float]]:
    """Posts at a steady rate, first without and then with reports that are read again and again."""
    key = context.installation.key
    with Api(api, key) as client:
        client.create('{"type":"sleep","payload":3600,"priority":-1}')
    # A worker that could run every job, and is busy: the reports look for the jobs that it leaves waiting.
    with context.installation.worker(WORKER_CONCURRENCY=1, WORKER_SHUTDOWN_GRACE_SECONDS=0) as worker:
        with Offer(api, key, _POSTS_PER_SECOND, _post) as alone:
            time.sleep(context.settings.seconds)
        is_over = threading.Event()
        readers = [_read_metrics, _read_page, _read_all_pages]
        with ThreadPoolExecutor(len(readers)) as threads, Offer(api, key, _POSTS_PER_SECOND, _post) as meanwhile:
            reads = [threads.submit(_read_until, is_over, read, api, key) for read in readers]
            try:
                time.sleep(context.settings.seconds)
            finally:
                is_over.set()
            metrics, page, pages = (read.result() for read in reads)
        worker.require_running()
    return {
        "GET /metrics": _percentiles(metrics),
        "GET /api/queues, a page": _percentiles(page),
        "GET /api/queues, all pages of 500": _percentiles(pages),
        "POST while reports are read": _percentiles(meanwhile.milliseconds),
        "POST while no reports are read": _percentiles(alone.milliseconds),
    }


def _post(client: Api, _: int) -> int:
    client.create(JOB)
    return 1


def _read_until(is_over: threading.Event, read: Callable[[Api], None], api: Service, key: str) -> list[float]:
    """Milliseconds of each read."""
    times: list[float] = []
    with Api(api, key) as client:
        while not is_over.wait(_PAUSE_SECONDS):
            began_at = time.monotonic()
            read(client)
            times.append((time.monotonic() - began_at) * 1e3)
    return times


def _read_metrics(client: Api) -> None:
    client.get("/metrics")


def _read_page(client: Api) -> None:
    client.get("/api/queues")


def _read_all_pages(client: Api) -> None:
    page = client.get("/api/queues?limit=500")
    # Parsing the JSON would delay the POSTs, which share the interpreter.
    while found := _NEXT_CURSOR.search(page, len(page) - _CURSOR_BYTES_MAX):
        page = client.get(f"/api/queues?limit=500&cursor={quote(found[1])}")


def _percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99), "max": max(times)}
