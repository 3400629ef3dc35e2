"""Time from the start of a program until its log says that it works."""

from collections.abc import Callable

from ..context import Context
from ..figure import Figure, value_at_most
from ..processes import Service

_STARTS = 10


def measure(context: Context) -> list[Figure]:
    context.installation.reset()
    binaries: list[tuple[str, Callable[[], Service]]] = [
        ("api, until it listens", context.installation.api),
        ("worker, until it leases", context.installation.worker),
        ("reaper, until it reaps", context.installation.reaper),
    ]
    return [
        Figure(name, "ms", [_start(binary) for _ in range(_STARTS)], target=value_at_most(200))
        for name, binary in binaries
    ]


def _start(binary: Callable[[], Service]) -> float:
    with binary() as service:
        return service.start_seconds * 1e3
