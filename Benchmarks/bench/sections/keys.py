"""No-op jobs with few and with many different concurrency keys, in a queue without limits."""

from ..backlog import Backlog
from ..client import with_keys
from ..context import Context
from ..figure import Figure

_JOBS_PER_SECOND = 15_000
_KEYS = (10, 1_000, 100_000)


def measure(context: Context) -> list[Figure]:
    jobs = round(_JOBS_PER_SECOND * context.settings.seconds)
    plain: list[float] = []
    keyed: dict[int, list[float]] = {keys: [] for keys in _KEYS}
    for _ in context.rounds():
        plain.append(Backlog(jobs).drain(context))
        context.say(f"no keys: {plain[-1]:.0f} jobs/s")
        for keys, rates in keyed.items():
            # Each key has at least one job.
            rates.append(Backlog(max(jobs, keys), with_keys(keys)).drain(context))
            context.say(f"{keys:,} keys: {rates[-1]:.0f} jobs/s")
    return [
        Figure(f"drain of no-op jobs, {keys:,} keys", "jobs/s", rates, "no keys", plain)
        for keys, rates in keyed.items()
    ]
