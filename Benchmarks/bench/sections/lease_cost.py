"""Cost of leasing a job with ten thousand and with five million waiting jobs."""

import signal
import time
from dataclasses import dataclass, field
from statistics import median

from ..client import fill
from ..context import Context
from ..figure import Figure, ratio_at_most
from ..installation import SCHEMA, unfinished_jobs, wait_until_done
from ..postgres import Session
from ..processes import Service
from ..statements import Kind, Statements

_FEW = 10_000
_JOBS_PER_SECOND = 20_000
# Fixed, so that the same statements lease both backlogs.
_WORKER = {"WORKER_CONCURRENCY": 200, "WORKER_BATCH_SIZE": 100, "WORKER_BATCH_MAX": 100}


@dataclass
class _Costs:
    """Costs per job, each measured over ten thousand jobs, so that a disturbance affects few measurements."""

    lease_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Meter:
    """Measures a worker between `begin` and `end`."""

    context: Context
    superuser: Session
    worker: Service

    def begin(self) -> float:
        Statements.reset(self.superuser)
        return self._cpu_seconds()

    def end(self, began: float, costs: _Costs) -> None:
        leases = Statements.read(self.superuser, Kind.LEASE)
        costs.lease_us.append(leases.milliseconds * 1e3 / leases.rows)
        costs.cpu_us.append((self._cpu_seconds() - began) * 1e6 / leases.rows)

    def _cpu_seconds(self) -> float:
        return self.worker.cpu_seconds() + self.context.postgres.cpu_seconds()


def measure(context: Context) -> list[Figure]:
    waiting = context.settings.waiting_jobs
    times = max(3, round(_JOBS_PER_SECOND * context.settings.seconds / _FEW))
    few, many = _Costs(), _Costs()
    # Before and after, since the state of the machine may change.
    _drain_few(context, times, few)
    context.say(f"{_FEW} waiting: {median(few.lease_us):.1f} us a job")
    _drain_some(context, waiting, min(times, waiting // _FEW - 1), many)
    context.say(f"{waiting} waiting: {median(many.lease_us):.1f} us a job")
    _drain_few(context, times, few)
    context.say(f"{_FEW} waiting, before and after: {median(few.lease_us):.1f} us a job")
    raw = f"{_FEW:,} waiting"
    return [
        Figure(
            f"lease statement, {waiting:,} waiting",
            "us/job",
            [median(many.lease_us)],
            raw,
            [median(few.lease_us)],
            ratio_at_most(1.1),
        ),
        Figure(
            f"CPU of worker and PostgreSQL, {waiting:,} waiting",
            "us/job",
            [median(many.cpu_us)],
            raw,
            [median(few.cpu_us)],
        ),
    ]


def _drain_few(context: Context, times: int, costs: _Costs) -> None:
    """Stops the worker while it fills the backlog."""
    context.installation.reset()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.session() as session,
        context.installation.reaper(),
        context.installation.api() as api,
        context.installation.worker(**_WORKER) as worker,
    ):
        meter = _Meter(context, superuser, worker)
        # The first round fills caches and prepares statements; its costs are dropped.
        for kept in [_Costs()] + [costs] * times:
            worker.send(signal.SIGSTOP)
            try:
                fill(api, context.installation.key, _FEW)
                began = meter.begin()
            finally:
                worker.send(signal.SIGCONT)
            wait_until_done(session, worker)
            meter.end(began, kept)


def _drain_some(context: Context, waiting: int, times: int, costs: _Costs) -> None:
    """Measures the first jobs of a long backlog, after those that fill caches and prepare statements."""
    context.installation.reset()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.session() as session,
        context.installation.reaper(),
    ):
        with context.installation.api() as api:
            fill(api, context.installation.key, waiting)
        # Otherwise autovacuum might do this during the measurement.
        superuser.execute(f"VACUUM ANALYZE {SCHEMA}.job, {SCHEMA}.ready")
        superuser.execute("CHECKPOINT")
        with context.installation.worker(**_WORKER) as worker:
            meter = _Meter(context, superuser, worker)
            _wait_until_at_most(session, waiting - _FEW)
            for _ in range(times):
                began = meter.begin()
                _wait_until_at_most(session, max(0, unfinished_jobs(session) - _FEW))
                meter.end(began, costs)


def _wait_until_at_most(session: Session, count: int) -> None:
    while unfinished_jobs(session) > count:
        time.sleep(0.05)
