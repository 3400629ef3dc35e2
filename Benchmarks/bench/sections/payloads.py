"""Jobs with payloads of 1 MiB: the peak memory of api and worker, and the rates of POST and of drain.

Each job has 1 MiB, so that a rate in jobs per second is one in MiB per second too.
"""

import base64
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from ..client import Api
from ..context import Context
from ..figure import Figure, value_at_most
from ..installation import TUNED_WORKER, succeeded_per_second, wait_until_done

_PAYLOAD_BYTES = 1024 * 1024
# 1,000 jobs in a full run.
_JOBS_PER_SECOND = 100
_POSTING_CONNECTIONS = 64
_LISTING_CONNECTIONS = 16
_MEMORY_TARGET = value_at_most(256)


def measure(context: Context) -> list[Figure]:
    # Random, so that PostgreSQL cannot compress it: it writes and reads all bytes.
    characters = base64.b64encode(os.urandom(_PAYLOAD_BYTES))[: _PAYLOAD_BYTES - 2].decode()
    payload = f'"{characters}"'
    jobs = round(_JOBS_PER_SECOND * context.settings.seconds)
    raw: list[float] = []
    found: list[dict[str, float]] = []
    for _ in context.rounds():
        raw.append(context.raw.large_rows(payload))
        context.installation.reset()
        with context.installation.reaper():
            posted = _post(context, jobs, f'{{"type":"echo","payload":{payload}}}')
            listed = _list(context)
            drained = _drain(context, jobs)
        found.append(posted | listed | drained)
        context.say(f"POST {posted['posts']:.0f}/s, drain {drained['drain']:.0f}/s, 1 MiB each")

    def rounds(name: str) -> list[float]:
        return [values[name] for values in found]

    many = f"{_POSTING_CONNECTIONS} connections"
    return [
        Figure(f"POSTs of 1 MiB, {many}", "jobs/s", rounds("posts"), "inserts of 1 MiB", raw),
        Figure("drain of jobs of 1 MiB, tuned", "jobs/s", rounds("drain"), "inserts of 1 MiB", raw),
        Figure(f"peak memory of api, POSTs from {many}", "MiB", rounds("posting"), target=_MEMORY_TARGET),
        Figure(
            f"peak memory of api, lists from {_LISTING_CONNECTIONS} connections",
            "MiB",
            rounds("listing"),
            target=_MEMORY_TARGET,
            details={"pages_per_second": median(rounds("pages"))},
        ),
        Figure("peak memory of worker, tuned", "MiB", rounds("draining"), target=_MEMORY_TARGET),
    ]


def _post(context: Context, jobs: int, job: str) -> dict[str, float]:
    def create(client: Api, number: int) -> None:
        for _ in range(number, jobs, _POSTING_CONNECTIONS):
            client.create(job)

    seconds, peak = _with_connections(context, _POSTING_CONNECTIONS, create)
    return {"posts": jobs / seconds, "posting": peak}


def _list(context: Context) -> dict[str, float]:
    """Reads full pages with payloads. A page ends before they exceed 4 MiB."""
    pages = [0] * _LISTING_CONNECTIONS
    until = time.monotonic() + context.settings.seconds

    def read(client: Api, number: int) -> None:
        while time.monotonic() < until:
            client.get("/api/jobs?limit=500&include=payload")
            pages[number] += 1

    seconds, peak = _with_connections(context, _LISTING_CONNECTIONS, read)
    return {"pages": sum(pages) / seconds, "listing": peak}


def _with_connections(context: Context, count: int, run: Callable[[Api, int], None]) -> tuple[float, float]:
    """Runs it on this number of connections to a new api. Returns the seconds, and the peak memory of the api."""

    def on_connection(number: int) -> None:
        with Api(api, context.installation.key) as client:
            run(client, number)

    with context.installation.api() as api, ThreadPoolExecutor(count) as threads:
        began_at = time.monotonic()
        list(threads.map(on_connection, range(count)))
        return time.monotonic() - began_at, api.peak_mebibytes()


def _drain(context: Context, jobs: int) -> dict[str, float]:
    with context.installation.session() as session, context.installation.worker(**TUNED_WORKER) as worker:
        wait_until_done(session, worker)
        return {"drain": succeeded_per_second(session, jobs), "draining": worker.peak_mebibytes()}
