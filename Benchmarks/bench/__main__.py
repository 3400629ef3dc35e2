"""python3 -m bench [SECTION...]: measures, prints a table, writes the results. See docs/benchmarks.md."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from . import machine, report
from .context import Context
from .figure import Figure
from .postgres import Postgres
from .processes import Broken
from .sections import (
    drain,
    enqueue,
    exec_jobs,
    held_snapshot,
    keys,
    latency,
    lease_cost,
    limits,
    payloads,
    queues,
    resident,
    soak,
    start,
)
from .settings import LOCAL, ROOT, Settings

_SECTIONS: dict[str, Callable[[Context], list[Figure]]] = {
    "start": start.measure,
    "memory": resident.measure,
    "enqueue": enqueue.measure,
    "drain": drain.measure,
    "keys": keys.measure,
    "limits": limits.measure,
    "queues": queues.measure,
    "payloads": payloads.measure,
    "latency": latency.measure,
    "exec": exec_jobs.measure,
    "hold": held_snapshot.measure,
    "lease": lease_cost.measure,
}
# Sections of their own duration, which run only by name.
_LONG_SECTIONS: dict[str, Callable[[Context], list[Figure]]] = {"soak": soak.measure}
# The results of a full run are kept with the sources; those of a partial or short run never replace them.
_FULL_RESULTS = ROOT / "Benchmarks" / "results.json"
_PARTIAL_RESULTS = LOCAL / "bench-results.json"


def main(names: list[str]) -> int:
    """Returns the exit status: 1 if something is broken, 2 for wrong usage. A missed target is no failure."""
    try:
        settings = Settings.from_environment()
        for name in names:
            if name not in _SECTIONS | _LONG_SECTIONS:
                raise ValueError(f"unknown section {name}; accepted: {' '.join(_SECTIONS | _LONG_SECTIONS)}")
        if not (settings.binaries / "jobqueue-reaper").exists():
            raise ValueError(f"{settings.binaries} contains no binaries; build them with: make build")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Same as Ctrl-C: every `with` stops what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(settings, names or list(_SECTIONS))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(settings: Settings, names: list[str]) -> int:
    started_at = datetime.now(UTC)
    about_machine = machine.describe()
    sections: dict[str, list[Figure]] = {}
    with Postgres() as postgres:
        context = Context(settings, postgres)
        if os.getloadavg()[0] > machine.usable_processors() / 4:
            context.warnings.append(f"the machine was not idle: load average {os.getloadavg()[0]:.1f} at start")
        for name in names:
            context.section = name
            print(f"==> {name}", flush=True)
            try:
                sections[name] = (_SECTIONS | _LONG_SECTIONS)[name](context)
            except Broken as error:
                context.fail(str(error))
            context.take_problems()
        run = {
            "started_at": started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "minutes": round((datetime.now(UTC) - started_at).total_seconds() / 60, 1),
            "revision": machine.revision(),
            "machine": about_machine | {"postgresql": postgres.version},
            "settings": settings.measured(),
            "broken": context.failures,
        }
    is_full = names == list(_SECTIONS) and settings.are_full and not context.failures
    path = _FULL_RESULTS if is_full else _PARTIAL_RESULTS
    report.write(path, run, sections, context.warnings)
    _print_end(sections, context.warnings, context.failures, path)
    return 1 if context.failures else 0


def _print_end(sections: dict[str, list[Figure]], warnings: list[str], broken: list[str], path: Path) -> None:
    print(f"\n{report.table(sections)}\n")
    for warning in warnings:
        print(f"warning: {warning}")
    for problem in broken:
        print(f"error: {problem}")
    print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
