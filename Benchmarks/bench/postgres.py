"""A private, durable PostgreSQL for the run, and sessions on it."""

import subprocess
from collections.abc import Sequence

from .processes import Broken, tree_cpu_seconds
from .settings import LOCAL, ROOT

_SCRIPT = str(ROOT / "Scripts" / "postgres.sh")
_DIRECTORY = str(LOCAL / "bench-postgres")


class Postgres:
    """A server, from an empty data directory to its removal. Use it as a context manager."""

    def __enter__(self) -> "Postgres":
        # Removes the remains of a killed run.
        _script("remove")
        try:
            _script("start")
            self.url = _script("url")
            self.socket = _script("socket")
            self.superuser = f"postgresql://postgres@/jobqueue?host={self.socket}"
            self._count_statements()
            with Session(self.superuser) as session:
                self.pid = session.integer("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
                self.version = session.value("SHOW server_version")
                self._require_durable(session)
        except BaseException:
            _script("remove")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _script("remove")

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far, including autovacuum and checkpoints."""
        return tree_cpu_seconds(self.pid)

    def _count_statements(self) -> None:
        """Loads pg_stat_statements, which measures the lease statements."""
        with Session(self.superuser) as session:
            session.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        _script("stop")
        _script("start")
        with Session(self.superuser) as session:
            session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    @staticmethod
    def _require_durable(session: "Session") -> None:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            if session.value(f"SHOW {name}") != "on":
                raise Broken(f"PostgreSQL runs with {name} off; its figures would be meaningless")


class Session:
    """A psql that stays connected, so that a statement needs no new process. Use it as a context manager."""

    _END = "\x1fend\x1f"

    def __init__(self, url: str):
        self.statements = 0
        self._psql = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\x1e", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        assert self._psql.stdin is not None and self._psql.stdout is not None
        if self._psql.stdin.closed:
            return
        self._psql.stdin.close()
        self._psql.wait()
        self._psql.stdout.close()

    def rows(self, statement: str) -> list[Sequence[str]]:
        """Runs one statement and returns its rows as text. Raises Broken with PostgreSQL's message."""
        assert self._psql.stdin is not None and self._psql.stdout is not None
        self.statements += 1
        self._psql.stdin.write(f"{statement};\n\\echo {self._END}\n")
        self._psql.stdin.flush()
        lines: list[str] = []
        for line in self._psql.stdout:
            if line.rstrip("\n") == self._END:
                break
            lines.append(line.rstrip("\n"))
        else:
            raise Broken(f"psql has ended: {' '.join(lines)}")
        if any(line.startswith(("ERROR:", "FATAL:", "psql:")) for line in lines):
            raise Broken(f"{' '.join(lines)} ({statement})")
        return [line.split("\x1e") for line in lines if line]

    def execute(self, statement: str) -> None:
        self.rows(statement)

    def value(self, statement: str) -> str:
        rows = self.rows(statement)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise Broken(f"expected one value, got {rows} ({statement})")
        return rows[0][0]

    def integer(self, statement: str) -> int:
        return int(self.value(statement))

    def number(self, statement: str) -> float:
        return float(self.value(statement))


def _script(verb: str) -> str:
    done = subprocess.run(["bash", _SCRIPT, verb, _DIRECTORY], capture_output=True, text=True)
    if done.returncode != 0:
        raise Broken(f"Scripts/postgres.sh {verb}: {done.stderr.strip()}")
    return done.stdout.strip()
