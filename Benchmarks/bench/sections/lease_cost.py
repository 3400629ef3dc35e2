"""What leasing a job costs with ten thousand and with five million waiting jobs."""

import signal
import time
from dataclasses import dataclass

from ..client import fill
from ..context import Context
from ..figure import Figure, ratio_at_most
from ..installation import unfinished_jobs, wait_until_done
from ..postgres import Session
from ..processes import Service
from ..statements import Kind, Statements

_FEW = 10_000
_JOBS_PER_SECOND = 20_000
# Fixed, so that both backlogs are leased by the same statements.
_WORKER = {"WORKER_CONCURRENCY": 200, "WORKER_BATCH_SIZE": 100, "WORKER_BATCH_MAX": 100}


@dataclass
class _Cost:
    lease_milliseconds: float = 0
    cpu_seconds: float = 0
    jobs: int = 0


def measure(context: Context) -> list[Figure]:
    jobs = round(_JOBS_PER_SECOND * context.settings.seconds)
    few = _drain_few(context, max(3, -(-jobs // _FEW)))
    context.say(f"{_FEW} waiting: {few.lease_milliseconds * 1e3 / few.jobs:.1f} us a job")
    many = _drain_some(context, context.settings.waiting_jobs, jobs)
    context.say(f"{context.settings.waiting_jobs} waiting: {many.lease_milliseconds * 1e3 / many.jobs:.1f} us a job")
    waiting = f"{context.settings.waiting_jobs:,} waiting"
    return [
        Figure(
            f"lease statement, {waiting}",
            "us/job",
            [many.lease_milliseconds * 1e3 / many.jobs],
            f"{_FEW:,} waiting",
            [few.lease_milliseconds * 1e3 / few.jobs],
            ratio_at_most(1.1),
        ),
        Figure(
            f"CPU of worker and PostgreSQL, {waiting}",
            "us/job",
            [many.cpu_seconds * 1e6 / many.jobs],
            f"{_FEW:,} waiting",
            [few.cpu_seconds * 1e6 / few.jobs],
        ),
    ]


def _drain_few(context: Context, times: int) -> _Cost:
    """The worker stands still while the backlog is filled again."""
    cost = _Cost()
    context.installation.start_anew()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.session() as session,
        context.installation.reaper(),
        context.installation.api() as api,
        context.installation.worker(**_WORKER) as worker,
    ):
        for round in range(times + 1):
            worker.send(signal.SIGSTOP)
            try:
                fill(api, context.installation.key, _FEW)
            finally:
                began = _begin(context, superuser, worker)
                worker.send(signal.SIGCONT)
            wait_until_done(session, worker)
            # The first round fills caches and prepares statements.
            if round > 0:
                _add(context, cost, superuser, worker, began, _FEW)
    return cost


def _drain_some(context: Context, waiting: int, jobs: int) -> _Cost:
    """Measures about so many jobs of the backlog, after some that fill caches and prepare statements."""
    cost = _Cost()
    context.installation.start_anew()
    with Session(context.postgres.superuser) as superuser, context.installation.session() as session:
        with context.installation.reaper():
            with context.installation.api() as api:
                fill(api, context.installation.key, waiting)
            # What autovacuum would do sooner or later, perhaps in the middle.
            superuser.execute("VACUUM ANALYZE jobqueue.job, jobqueue.ready; CHECKPOINT")
            with context.installation.worker(**_WORKER) as worker:
                _wait_until_below(session, waiting - _FEW)
                left = unfinished_jobs(session)
                began = _begin(context, superuser, worker)
                _wait_until_below(session, max(0, left - jobs))
                _add(context, cost, superuser, worker, began, left - unfinished_jobs(session))
    return cost


def _begin(context: Context, superuser: Session, worker: Service) -> float:
    Statements.reset(superuser)
    return worker.cpu_seconds() + context.postgres.cpu_seconds()


def _add(context: Context, cost: _Cost, superuser: Session, worker: Service, began: float, jobs: int) -> None:
    leases = Statements.read(superuser, Kind.LEASE)
    cost.cpu_seconds += worker.cpu_seconds() + context.postgres.cpu_seconds() - began
    cost.lease_milliseconds += leases.milliseconds * jobs / leases.rows
    cost.jobs += jobs


def _wait_until_below(session: Session, count: int) -> None:
    while unfinished_jobs(session) > count:
        time.sleep(0.1)
