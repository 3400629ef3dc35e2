"""POSTs of 1 or 500 jobs, beside durable inserts by pgbench."""

from dataclasses import dataclass
from statistics import median

from ..context import Context
from ..figure import Figure, Target, medians, ratio_at_least
from ..installation import stored_jobs
from ..postgres import Session
from ..processes import Broken
from ..statements import Kind, Statements
from ..wrk import Load, LoadResult, post_jobs

_WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class _Case:
    name: str
    load: Load
    target: Target | None = None
    raw_clients: int = 32
    """Number of pgbench clients of the raw limit."""


_CASES = [
    _Case("single POSTs, 1 connection", Load(1), raw_clients=1),
    _Case("single POSTs, 16 connections", Load(16)),
    _Case("single POSTs, 64 connections", Load(64), ratio_at_least(2)),
    _Case("single POSTs, 256 connections", Load(256)),
    _Case("bulk POSTs of 500, 4 connections", Load(4, jobs_per_request=500), ratio_at_least(5)),
]


def measure(context: Context) -> list[Figure]:
    single: dict[int, list[float]] = {case.raw_clients: [] for case in _CASES}
    many: list[float] = []
    found: dict[str, list[LoadResult]] = {case.name: [] for case in _CASES}
    details: dict[str, list[dict[str, float]]] = {case.name: [] for case in _CASES}
    for _ in context.rounds():
        for clients, rates in single.items():
            rates.append(context.raw.single_rows(clients))
            context.say(f"raw limit U{clients}: {rates[-1]:.0f} rows/s")
        many.append(context.raw.many_rows(500))
        for case in _CASES:
            result, detail = _post(context, case)
            found[case.name].append(result)
            details[case.name].append(detail)
    figures: list[Figure] = []
    for case in _CASES:
        rates = [result.jobs_per_second for result in found[case.name]]
        detail = medians(details[case.name])
        if case.load.jobs_per_request > 1:
            shares = [rate / raw for rate, raw in zip(rates, many, strict=True)]
            detail |= {"rows_per_second_by_unnest": median(many), "share_of_them": median(shares)}
        raw = single[case.raw_clients]
        figures.append(Figure(case.name, "jobs/s", rates, f"U{case.raw_clients}", raw, case.target, detail))
    return figures


def _post(context: Context, case: _Case) -> tuple[LoadResult, dict[str, float]]:
    """Posts into an empty schema, with api and reaper but without a worker."""
    context.installation.reset()
    with (
        Session(context.postgres.superuser) as superuser,
        context.installation.reaper(),
        context.installation.api() as api,
    ):
        warm_up = post_jobs(api, context.installation.key, case.load, _WARM_UP_SECONDS)
        Statements.reset(superuser)
        api_before, postgres_before = api.cpu_seconds(), context.postgres.cpu_seconds()
        result = post_jobs(api, context.installation.key, case.load, context.settings.seconds)
        inserts = Statements.read(superuser, Kind.INSERT)
        detail = {
            "p50_ms": result.p50_ms,
            "p99_ms": result.p99_ms,
            "max_ms": result.max_ms,
            "api_cpu_us_per_job": (api.cpu_seconds() - api_before) * 1e6 / result.jobs,
            "postgres_cpu_us_per_job": (context.postgres.cpu_seconds() - postgres_before) * 1e6 / result.jobs,
            "jobs_per_commit": result.jobs / inserts.calls,
            "insert_statement_ms": inserts.mean_milliseconds,
            "api_resident_mib": api.resident_mebibytes(),
        }
    _require_all_stored(context, warm_up.jobs + result.jobs, 2 * case.load.in_flight_jobs)
    context.say(f"{case.name}: {result.jobs_per_second:.0f} jobs/s")
    return result, detail


def _require_all_stored(context: Context, acknowledged: int, in_flight: int) -> None:
    """Only jobs that were in progress when wrk disconnected may be stored without an answer."""
    with context.installation.session() as session:
        stored = stored_jobs(session)
    if not acknowledged <= stored <= acknowledged + in_flight:
        raise Broken(f"{acknowledged} jobs were acknowledged, but {stored} are stored")
