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
        found = Statements.read_any(superuser, kind)
        if found.calls == 0:
            raise Broken(f"PostgreSQL has run no {kind.name} statement")
        return found

    @staticmethod
    def read_any(superuser: Session, kind: Kind) -> "Statements":
        calls, rows, milliseconds = superuser.rows(
            "SELECT COALESCE(sum(calls), 0), COALESCE(sum(rows), 0), COALESCE(sum(total_exec_time), 0)"
            f" FROM pg_stat_statements WHERE query LIKE '{kind.value}' AND query NOT LIKE '%pg_stat_statements%'"
        )[0]
        return Statements(int(calls), int(rows), float(milliseconds))
