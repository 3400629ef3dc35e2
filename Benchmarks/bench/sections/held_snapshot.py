"""Jobs offered at a steady rate while a transaction in the database is held open.

Such a transaction keeps PostgreSQL from removing the dead rows of the queue's tables. Without low-water marks each
lease statement would have to scan them.
"""

import time
from dataclasses import dataclass
from statistics import median

from ..client import Api
from ..context import Context
from ..figure import Figure, percentile, ratio_at_least
from ..installation import SCHEMA
from ..offer import Offer
from ..postgres import Session
from ..processes import Broken
from ..statements import Kind, Statements

_JOBS_PER_SECOND = 4_000
_JOBS_PER_POST = 40
_BEFORE_SECONDS = 10
_WINDOW_SECONDS = 10


@dataclass(frozen=True)
class _Window:
    """Measurements of the last seconds of a period."""

    offered_per_second: float
    finished_per_second: float
    lease_ms: float
    """The median of the means of each second."""
    waits_ms: list[float]
    """Time from creation to lease of the jobs that were leased in the window."""


def measure(context: Context) -> list[Figure]:
    context.installation.reset()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.session() as session,
        context.installation.reaper(),
        context.installation.worker(),
        context.installation.api() as api,
        Offer(api, context.installation.key, _JOBS_PER_SECOND / _JOBS_PER_POST, _post) as offer,
    ):
        before = _observe(_BEFORE_SECONDS, offer, superuser, session)
        context.say(f"before: {before.finished_per_second:.0f} jobs/s, lease {before.lease_ms:.2f} ms")
        with context.installation.session() as holder:
            holder.execute("BEGIN")
            holder.execute("SELECT txid_current()")
            held = _observe(context.settings.hold_seconds, offer, superuser, session)
        context.say(f"held: {held.finished_per_second:.0f} jobs/s, lease {held.lease_ms:.2f} ms")
    seconds = f"{context.settings.hold_seconds:g} s"
    return [
        Figure(
            f"jobs finished, snapshot held for {seconds}",
            "jobs/s",
            [held.finished_per_second],
            "offered",
            [held.offered_per_second],
            # Below 1, because the window ends while some jobs are in progress.
            ratio_at_least(0.99),
            {"before_the_hold": before.finished_per_second},
        ),
        Figure("lease statement at its end", "ms", [held.lease_ms], "before the hold", [before.lease_ms]),
        Figure(
            "creation to lease at its end, p50",
            "ms",
            [percentile(held.waits_ms, 0.5)],
            "before the hold",
            [percentile(before.waits_ms, 0.5)],
            details={
                "p99_ms": percentile(held.waits_ms, 0.99),
                "p99_ms_before_the_hold": percentile(before.waits_ms, 0.99),
            },
        ),
    ]


def _post(client: Api, _: int) -> int:
    return client.create_many(_JOBS_PER_POST)


def _observe(seconds: float, offer: Offer, superuser: Session, session: Session) -> _Window:
    """Waits for `seconds` and measures the last part of that time."""
    window = min(_WINDOW_SECONDS, seconds / 2)
    time.sleep(seconds - window)
    posted, began_at = offer.posted, session.value("SELECT clock_timestamp()")
    began = time.monotonic()
    means: list[float] = []
    while time.monotonic() < began + window:
        Statements.reset(superuser)
        time.sleep(1)
        means.append(Statements.read(superuser, Kind.LEASE).mean_milliseconds)
    elapsed = time.monotonic() - began
    ended_at = session.value("SELECT clock_timestamp()")
    posted = offer.posted - posted
    between = f"BETWEEN '{began_at}' AND '{ended_at}'"
    finished = session.integer(f"SELECT count(*) FROM {SCHEMA}.outcome WHERE finished_at {between}")
    waits = session.rows(
        "SELECT extract(epoch FROM o.started_at - j.created_at) * 1000"
        f" FROM {SCHEMA}.outcome o JOIN {SCHEMA}.job j USING (id) WHERE o.started_at {between}"
    )
    if not waits:
        raise Broken("no job was leased while jobs were offered")
    return _Window(posted / elapsed, finished / elapsed, median(means), [float(wait) for (wait,) in waits])
