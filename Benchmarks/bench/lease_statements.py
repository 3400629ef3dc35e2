"""How long PostgreSQL takes for lease statements, by pg_stat_statements."""

from dataclasses import dataclass

from .postgres import Session
from .processes import Broken


@dataclass(frozen=True)
class LeaseStatements:
    """All since the last reset."""

    calls: int
    jobs: int
    milliseconds: float

    @staticmethod
    def reset(superuser: Session) -> None:
        superuser.execute("SELECT pg_stat_statements_reset()")

    @staticmethod
    def read(superuser: Session) -> "LeaseStatements":
        """Only a lease moves rows from `ready` to `lease`."""
        found = superuser.rows(
            "SELECT sum(calls), sum(rows), sum(total_exec_time) FROM pg_stat_statements"
            " WHERE query LIKE '%DELETE FROM ready%INSERT INTO lease %' AND query NOT LIKE '%pg_stat_statements%'"
        )[0]
        if not found[0]:
            raise Broken("pg_stat_statements has seen no lease statement")
        return LeaseStatements(int(found[0]), int(found[1]), float(found[2]))

    def since(self, before: "LeaseStatements") -> "LeaseStatements":
        return LeaseStatements(
            self.calls - before.calls, self.jobs - before.jobs, self.milliseconds - before.milliseconds
        )
