"""Jobs offered at a steady rate while a transaction in the database is held open.

Such a transaction keeps PostgreSQL from removing the dead rows of the queue's tables. Without low-water marks each
lease statement would have to scan them.
"""

import threading
import time
from dataclasses import dataclass, field
from statistics import median

from ..client import Api
from ..context import Context
from ..figure import Figure, percentile, ratio_at_least
from ..installation import SCHEMA
from ..postgres import Session
from ..processes import Broken, Service
from ..statements import Kind, Statements

_JOBS_PER_SECOND = 4_000
_JOBS_PER_POST = 40
_BEFORE_SECONDS = 10
_WINDOW_SECONDS = 10


@dataclass
class _Offer:
    """Posts jobs at a steady rate from its own thread. Use it as a context manager."""

    api: Service
    key: str
    posted: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)
    _failure: Broken | None = None

    def __enter__(self) -> "_Offer":
        self._thread = threading.Thread(target=self._post)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _post(self) -> None:
        try:
            with Api(self.api, self.key) as client:
                began_at = time.monotonic()
                while not self._is_over.is_set():
                    client.create_many(_JOBS_PER_POST)
                    self.posted += _JOBS_PER_POST
                    ahead = began_at + self.posted / _JOBS_PER_SECOND - time.monotonic()
                    if ahead > 0:
                        self._is_over.wait(ahead)
        except Broken as failure:
            self._failure = failure


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
        _Offer(api, context.installation.key) as offer,
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


def _observe(seconds: float, offer: _Offer, superuser: Session, session: Session) -> _Window:
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
