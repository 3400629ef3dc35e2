"""Settings of a run, from environment variables."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"

_SECONDS = 10
_ROUNDS = 3
_HOLD_SECONDS = 120
_WAITING_JOBS = 5_000_000
_SOAK_MINUTES = 30


@dataclass(frozen=True)
class Settings:
    """Duration and size of the measurements. The defaults are those of a full run."""

    seconds: float
    """Duration of each measurement."""
    rounds: int
    """Number of rounds; each measures jobqueue and the raw limit."""
    hold_seconds: float
    """Time for which a transaction is held open."""
    waiting_jobs: int
    """Length of the long backlog of the section `lease`."""
    soak_minutes: float
    """Duration of the section `soak`."""
    binaries: Path

    @staticmethod
    def from_environment() -> "Settings":
        """Raises ValueError with the name of the variable."""
        return Settings(
            seconds=_number("BENCH_SECONDS", _SECONDS, at_least=0.5),
            rounds=int(_number("BENCH_ROUNDS", _ROUNDS, at_least=1)),
            hold_seconds=_number("BENCH_HOLD_SECONDS", _HOLD_SECONDS, at_least=5),
            waiting_jobs=int(_number("BENCH_WAITING_JOBS", _WAITING_JOBS, at_least=20_000)),
            soak_minutes=_number("BENCH_SOAK_MINUTES", _SOAK_MINUTES, at_least=1),
            binaries=Path(os.environ.get("BENCH_BINARIES") or ROOT / ".build" / "release"),
        )

    @property
    def are_full(self) -> bool:
        """Whether the settings are at least those of a full run."""
        full = (_SECONDS, _ROUNDS, _HOLD_SECONDS, _WAITING_JOBS)
        given = (self.seconds, self.rounds, self.hold_seconds, self.waiting_jobs)
        return all(ours >= least for ours, least in zip(given, full, strict=True))

    def measured(self) -> dict[str, float]:
        """The settings for the results file: all but the directory of the binaries."""
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
        raise ValueError(f"{name}={text}: accepted: numbers of {at_least:g} or more")
    return value
