"""Jobs that run a program each, beside bare spawning of the same program with the same concurrency."""

import json
import os
import tempfile
import time
from pathlib import Path

from ..client import Api
from ..context import Context
from ..figure import Figure, medians
from ..installation import succeeded_per_second, wait_until_done
from ..machine import usable_processors

_PROGRAM = "/bin/true"
_JOBS_PER_SECOND = 200


def measure(context: Context) -> list[Figure]:
    """2,000 jobs in a full run."""
    jobs = round(_JOBS_PER_SECOND * context.settings.seconds)
    at_once = 2 * usable_processors()
    bare: list[float] = []
    ours: list[float] = []
    details: list[dict[str, float]] = []
    for _ in context.rounds():
        bare.append(_spawn(jobs, at_once))
        rate, detail = _run_jobs(context, jobs, at_once)
        ours.append(rate)
        details.append(detail)
        context.say(f"{rate:.0f} jobs/s, bare {bare[-1]:.0f}/s")
    name = f"exec of {_PROGRAM}, {at_once} at once"
    return [Figure(name, "jobs/s", ours, "bare posix_spawn", bare, details=medians(details))]


def _spawn(count: int, at_once: int) -> float:
    """Programs per second without any overhead: an empty environment, no input and no output."""
    running = 0
    began_at = time.monotonic()
    for left in range(count, 0, -1):
        os.posix_spawn(_PROGRAM, [_PROGRAM], {})
        running += 1
        if running == min(at_once, left):
            os.wait()
            running -= 1
    while running > 0:
        os.wait()
        running -= 1
    return count / (time.monotonic() - began_at)


def _run_jobs(context: Context, jobs: int, at_once: int) -> tuple[float, dict[str, float]]:
    context.installation.reset()
    with tempfile.TemporaryDirectory() as directory, context.installation.session() as session:
        handlers = Path(directory) / "handlers.json"
        handlers.write_text(json.dumps({"handlers": {"program": {"exec": [_PROGRAM]}}}))
        with context.installation.api() as api, Api(api, context.installation.key) as client:
            client.create_many(jobs, ['{"type":"program","payload":null}'])
        settings = {"WORKER_HANDLERS_FILE": handlers, "WORKER_CONCURRENCY": at_once}
        with context.installation.reaper(), context.installation.worker(**settings) as worker:
            wait_until_done(session, worker)
            worker_cpu = worker.cpu_seconds()
        jobs_per_second = succeeded_per_second(session, jobs)
    # Without the CPU time of the children, which bare spawning needs too.
    return jobs_per_second, {"worker_cpu_us_per_job": worker_cpu * 1e6 / jobs}
