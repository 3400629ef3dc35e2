"""A figure: what was measured, beside the raw limit of the same run and what is aimed at."""

import math
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Target:
    """What DESIGN section 12 wants of a figure: of its value, or of its ratio to the raw limit."""

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


def value_at_most(bound: float) -> Target:
    return Target("value", False, bound)


@dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    rounds: list[float]
    """What each round has measured; the figure is their median."""
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
        """The median of the rounds' own ratios: what slows a whole round down does not change it."""
        if not self.raw_rounds:
            return None
        return median(ours / raw for ours, raw in zip(self.rounds, self.raw_rounds, strict=True))

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        return None if self.target is None else self.target.is_met(self.value, self.ratio)


def percentile(values: list[float], share: float) -> float:
    """The smallest of the values that at least `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Each detail's median over the rounds."""
    return {name: median(found[name] for found in rounds) for name in rounds[0]}
