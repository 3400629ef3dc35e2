"""A backlog of no-op jobs run by one worker: tuned, with defaults, and with a concurrency key on each job."""

from dataclasses import dataclass

from ..client import fill, with_keys
from ..context import Context
from ..figure import Figure, Target, medians, ratio_at_least, value_at_most
from ..installation import JOB, TUNED_WORKER, succeeded_per_second, wait_until_done
from ..postgres import Session


@dataclass(frozen=True)
class _Case:
    name: str
    jobs_per_second: int
    """Expected rate; it determines the length of the backlog."""
    worker: dict[str, object]
    target: Target
    cpu_target: Target | None = None
    keys: int = 0
    """Number of different concurrency keys. If not 0, the raw limit is the first case."""


_CASES = [
    _Case("drain of no-op jobs, tuned", 50_000, TUNED_WORKER, ratio_at_least(3.5), value_at_most(0.025)),
    _Case("drain of no-op jobs, defaults", 30_000, {}, ratio_at_least(1)),
    _Case("drain of no-op jobs, 1,000 keys", 30_000, TUNED_WORKER, ratio_at_least(0.5), keys=1_000),
]


@dataclass(frozen=True)
class _Drained:
    jobs_per_second: float
    cpu_seconds_per_thousand: float
    details: dict[str, float]


def measure(context: Context) -> list[Figure]:
    single: list[float] = []
    found: dict[str, list[_Drained]] = {case.name: [] for case in _CASES}
    for _ in context.rounds():
        single.append(context.raw.single_rows())
        for case in _CASES:
            found[case.name].append(_drain(context, case))
    figures: list[Figure] = []
    for case in _CASES:
        rounds = found[case.name]
        figures.append(
            Figure(
                case.name,
                "jobs/s",
                [round.jobs_per_second for round in rounds],
                "no keys" if case.keys else "U32",
                [round.jobs_per_second for round in found[_CASES[0].name]] if case.keys else single,
                case.target,
                medians([round.details for round in rounds]),
            )
        )
        figures.append(
            Figure(
                f"CPU of worker and PostgreSQL, {case.name.split(', ', 1)[1]}",
                "s/1000 jobs",
                [round.cpu_seconds_per_thousand for round in rounds],
                target=case.cpu_target,
            )
        )
    return figures


def _drain(context: Context, case: _Case) -> _Drained:
    """Measures the rate from the first lease to the last end, by PostgreSQL's clock."""
    context.installation.reset()
    jobs = round(case.jobs_per_second * context.settings.seconds)
    with context.installation.reaper(), context.installation.session() as session:
        with context.installation.api() as api:
            fill(api, context.installation.key, jobs, with_keys(case.keys) or [JOB])
        wal, commits = session.value("SELECT pg_current_wal_insert_lsn()"), _commits(session)
        postgres_before, statements_before = context.postgres.cpu_seconds(), session.statements
        with context.installation.worker(**case.worker) as worker:
            wait_until_done(session, worker)
            worker_cpu, resident = worker.cpu_seconds(), worker.resident_mebibytes()
            postgres_cpu = context.postgres.cpu_seconds() - postgres_before
        wal_bytes = session.number(f"SELECT pg_current_wal_insert_lsn() - '{wal}'::pg_lsn")
        # The sessions of the worker have ended, so PostgreSQL has counted them. Those of this program are subtracted.
        commits = _commits(session) - commits - (session.statements - statements_before)
        jobs_per_second = succeeded_per_second(session, jobs)
    context.say(f"{case.name}: {jobs_per_second:.0f} jobs/s")
    details = {
        "worker_cpu_us_per_job": worker_cpu * 1e6 / jobs,
        "postgres_cpu_us_per_job": postgres_cpu * 1e6 / jobs,
        "wal_bytes_per_job": wal_bytes / jobs,
        "commits_per_1000_jobs": commits * 1e3 / jobs,
        "worker_resident_mib": resident,
    }
    return _Drained(jobs_per_second, (worker_cpu + postgres_cpu) * 1e3 / jobs, details)


def _commits(session: Session) -> int:
    return session.integer("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
