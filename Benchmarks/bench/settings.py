"""What a run is told by its environment."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"

_SECONDS = 10
_ROUNDS = 3
_HOLD_SECONDS = 120
_WAITING_JOBS = 5_000_000


@dataclass(frozen=True)
class Settings:
    """How long and how much to measure. The defaults are those of a full run."""

    seconds: float
    """Of each single measurement."""
    rounds: int
    """How often ours and the raw limit take turns."""
    hold_seconds: float
    """For how long a transaction is held open."""
    waiting_jobs: int
    """The long backlog of the lease cost."""
    binaries: Path

    @staticmethod
    def from_environment() -> "Settings":
        """Raises ValueError that names the variable."""
        return Settings(
            seconds=_number("BENCH_SECONDS", _SECONDS, at_least=0.5),
            rounds=int(_number("BENCH_ROUNDS", _ROUNDS, at_least=1)),
            hold_seconds=_number("BENCH_HOLD_SECONDS", _HOLD_SECONDS, at_least=5),
            waiting_jobs=int(_number("BENCH_WAITING_JOBS", _WAITING_JOBS, at_least=20_000)),
            binaries=Path(os.environ.get("BENCH_BINARIES") or ROOT / ".build" / "release"),
        )

    @property
    def are_full(self) -> bool:
        """Whether the results may stand for more than a trial."""
        full = (_SECONDS, _ROUNDS, _HOLD_SECONDS, _WAITING_JOBS)
        given = (self.seconds, self.rounds, self.hold_seconds, self.waiting_jobs)
        return all(ours >= least for ours, least in zip(given, full, strict=True))

    def measured(self) -> dict[str, float]:
        """What the results say about the run: everything but where the binaries lie."""
        return {name: value for name, value in asdict(self).items() if name != "binaries"}


def _number(name: str, default: float, at_least: float) -> float:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not at_least <= value < float("inf"):
        raise ValueError(f"{name}={text}: accepted are numbers from {at_least:g}")
    return value
