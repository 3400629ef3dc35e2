"""A figure: the measurement, the raw limit of the same run, and the target."""

import math
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Target:
    """The target of a figure: for its value, or for its ratio to the raw limit."""

    of: str
    """`value` or `ratio`."""
    is_at_least: bool
    bound: float

    def is_met(self, value: float, ratio: float | None) -> bool:
        measured = value if self.of == "value" else ratio
        if measured is None:
            return False
        return measured >= self.bound if self.is_at_least else measured <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.is_at_least else '<='} {self.bound:g}{' x' if self.of == 'ratio' else ''}"


def ratio_at_least(bound: float) -> Target:
    return Target("ratio", True, bound)


def ratio_at_most(bound: float) -> Target:
    return Target("ratio", False, bound)


def value_at_least(bound: float) -> Target:
    return Target("value", True, bound)


def value_at_most(bound: float) -> Target:
    return Target("value", False, bound)


@dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    rounds: list[float]
    """The measurement of each round; the figure is their median."""
    raw_name: str = ""
    raw_rounds: list[float] = field(default_factory=list)
    """The raw limit measured beside each round."""
    target: Target | None = None
    details: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.rounds)

    @property
    def raw(self) -> float | None:
        return median(self.raw_rounds) if self.raw_rounds else None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of the rounds: a slow round does not change it."""
        if not self.raw_rounds:
            return None
        return median(ours / raw for ours, raw in zip(self.rounds, self.raw_rounds, strict=True))

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        return None if self.target is None else self.target.is_met(self.value, self.ratio)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each detail over the rounds."""
    return {name: median(found[name] for found in rounds) for name in rounds[0]}
