"""A backlog of no-op jobs in one queue, and its drain by one or more workers."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from .client import Api, fill
from .context import Context
from .installation import JOB, SCHEMA, TUNED_WORKER, succeeded_per_second, wait_until_done
from .postgres import Session
from .processes import Broken


@dataclass(frozen=True)
class Backlog:
    count: int
    jobs: Sequence[str] = (JOB,)
    """The jobs, repeated."""
    limits: dict[str, int] = field(default_factory=dict)
    """Limits of the queue, as for PUT."""
    workers: int = 1

    def drain(self, context: Context) -> float:
        """Jobs per second, from the first lease to the last end. Raises Broken if a job is lost or a limit exceeded."""
        context.installation.reset()
        key = context.installation.key
        with (
            context.installation.session() as session,
            context.installation.reaper(),
            context.installation.api() as api,
            Api(api, key) as client,
            ExitStack() as started,
        ):
            client.change("PUT", "/api/queues/default", **self.limits)
            # Otherwise the first worker would have leased much of the backlog before the last one has started.
            client.change("POST", "/api/worker/pause", reason="benchmark", updated_by="benchmark")
            fill(api, key, self.count, self.jobs)
            workers = [started.enter_context(context.installation.worker(**TUNED_WORKER)) for _ in range(self.workers)]
            client.change("POST", "/api/worker/resume", reason="benchmark", updated_by="benchmark")
            wait_until_done(session, *workers)
            self._require_limits(session)
            return succeeded_per_second(session, self.count)

    def _require_limits(self, session: Session) -> None:
        for limit, groups in (("max_running", "NULL"), ("max_running_per_key", "concurrency_key")):
            most = self.limits.get(limit)
            if most is not None and (running := _most_at_once(session, groups)) > most:
                raise Broken(f"{running} jobs ran at once, although {limit} is {most}")


def _most_at_once(session: Session, group: str) -> int:
    """The largest number of jobs of one group that ran at once. A job that ends frees its slot at that instant."""
    return session.integer(
        "SELECT max(running) FROM (SELECT sum(change) OVER (PARTITION BY part ORDER BY at, change) AS running"
        f" FROM (SELECT {group} AS part, started_at, finished_at FROM {SCHEMA}.outcome JOIN {SCHEMA}.job USING (id)) o"
        " CROSS JOIN LATERAL (VALUES (started_at, 1), (finished_at, -1)) AS v (at, change)) counted"
    )
