"""No-op jobs in a queue with a limit, run by one worker and by eight, beside the same drain without a limit."""

from dataclasses import dataclass
from statistics import median

from ..backlog import Backlog
from ..client import with_keys
from ..context import Context
from ..figure import Figure, Target, ratio_at_least, value_at_least

_PLAIN_PER_SECOND = 15_000
_KEYS = 1_000
_MANY_WORKERS = 8


@dataclass(frozen=True)
class _Case:
    limit: str
    most: int
    jobs_per_second: int
    """Length of the backlog per second of measurement: about half of the expected rate."""
    target: Target | None = None

    @property
    def name(self) -> str:
        return f"{self.limit} {self.most:,}" + f", {_KEYS:,} keys" * (self.limit == "max_running_per_key")

    def backlog(self, seconds: float, workers: int) -> Backlog:
        jobs = round(self.jobs_per_second * seconds)
        if self.limit == "max_running_per_key":
            return Backlog(jobs, with_keys(_KEYS), {self.limit: self.most}, workers)
        return Backlog(jobs, limits={self.limit: self.most}, workers=workers)


_CASES = [
    _Case("max_running", 1, 250, value_at_least(300)),
    _Case("max_running", 10, 1_500),
    _Case("max_running", 1_000, 10_000, ratio_at_least(0.5)),
    _Case("max_running_per_key", 1, 7_500),
]


def measure(context: Context) -> list[Figure]:
    seconds = context.settings.seconds
    commits: list[float] = []
    plain: list[float] = []
    one: dict[str, list[float]] = {case.name: [] for case in _CASES}
    many: dict[str, list[float]] = {case.name: [] for case in _CASES}
    for _ in context.rounds():
        commits.append(context.raw.single_rows(clients=1))
        plain.append(Backlog(round(_PLAIN_PER_SECOND * seconds)).drain(context))
        context.say(f"no limit: {plain[-1]:.0f} jobs/s")
        for case in _CASES:
            one[case.name].append(case.backlog(seconds, 1).drain(context))
            many[case.name].append(case.backlog(seconds, _MANY_WORKERS).drain(context))
            context.say(f"{case.name}: {one[case.name][-1]:.0f} and {many[case.name][-1]:.0f} jobs/s")
    figures: list[Figure] = []
    for case in _CASES:
        name = case.name
        # With a limit of 1 each job waits for the commit of its lease, and the next one for the commit of its end.
        detail = {"durable_commits_per_second_of_one_client": median(commits)} if case == _CASES[0] else {}
        figures.append(Figure(f"{name}, 1 worker", "jobs/s", one[name], "no limit", plain, case.target, detail))
        figures.append(
            Figure(f"{name}, {_MANY_WORKERS} workers", "jobs/s", many[name], "1 worker", one[name], ratio_at_least(0.9))
        )
    return figures
