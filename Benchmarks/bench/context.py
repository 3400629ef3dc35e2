"""The environment of every section."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .installation import Installation
from .postgres import Postgres
from .raw_limits import RawLimits
from .settings import Settings

_PROBLEMS_SHOWN = 3


@dataclass
class Context:
    settings: Settings
    postgres: Postgres
    section: str = ""
    warnings: list[str] = field(default_factory=list)
    """Log lines of level WARNING or above of the jobqueue processes, and other doubts about the figures."""

    failures: list[str] = field(default_factory=list)
    """Failures, as of Broken, of sections that went on to the end."""

    def __post_init__(self) -> None:
        self.installation = Installation(self.settings, self.postgres)
        self.raw = RawLimits(self.postgres, self.settings.seconds)

    def rounds(self) -> Iterator[int]:
        """Each round measures jobqueue and the raw limit, so that both see the same state of the machine."""
        for number in range(1, self.settings.rounds + 1):
            self.say(f"round {number} of {self.settings.rounds}")
            yield number

    def say(self, text: str) -> None:
        print(f"    {self.section}: {text}", flush=True)

    def fail(self, text: str) -> None:
        self.failures.append(f"{self.section}: {text}")
        print(f"error: {self.failures[-1]}", file=sys.stderr, flush=True)

    def take_problems(self) -> None:
        """Collects the warnings of the processes of the section that has just ended."""
        problems = Counter(
            f"{service.name}: {problem}" for service in self.installation.started for problem in service.problems
        )
        for problem, times in problems.most_common(_PROBLEMS_SHOWN):
            self.warnings.append(f"{self.section}: {problem}{f' ({times} times)' * (times > 1)}")
        if len(problems) > _PROBLEMS_SHOWN:
            self.warnings.append(f"{self.section}: {len(problems) - _PROBLEMS_SHOWN} more kinds of log lines")
        self.installation.started.clear()
