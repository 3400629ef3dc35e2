"""Number and duration of the hot statements, from pg_stat_statements."""

from dataclasses import dataclass
from enum import Enum

from .postgres import Session
from .processes import Broken


class Kind(Enum):
    """LIKE pattern that matches the text of this statement only."""

    INSERT = "%INSERT INTO job (%INSERT INTO ready (%"
    LEASE = "%DELETE FROM ready%INSERT INTO lease (%"


@dataclass(frozen=True)
class Statements:
    """All statements of one kind since the last reset."""

    calls: int
    rows: int
    """Number of returned rows; for a lease the leased jobs."""
    milliseconds: float
    """Total duration, without the commit."""

    @property
    def mean_milliseconds(self) -> float:
        return self.milliseconds / self.calls

    @staticmethod
    def reset(superuser: Session) -> None:
        superuser.execute("SELECT pg_stat_statements_reset()")

    @staticmethod
    def read(superuser: Session, kind: Kind) -> "Statements":
        """Raises Broken if there was none."""
        found = superuser.rows(
            "SELECT sum(calls), sum(rows), sum(total_exec_time) FROM pg_stat_statements"
            f" WHERE query LIKE '{kind.value}' AND query NOT LIKE '%pg_stat_statements%'"
        )[0]
        if not found[0]:
            raise Broken(f"PostgreSQL has run no {kind.name} statement")
        return Statements(int(found[0]), int(found[1]), float(found[2]))
