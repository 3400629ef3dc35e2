"""The raw limits: what PostgreSQL alone reaches on this machine, measured by pgbench."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .figure import percentile
from .postgres import Postgres, Session
from .processes import Broken
from .settings import ROOT

_SCRIPTS = ROOT / "Benchmarks" / "load"
_PAYLOAD = r'"{\"to\":\"someone@example.com\",\"n\":12345}"'


@dataclass(frozen=True)
class RawLimits:
    """Durable inserts into a table with a key and a payload."""

    postgres: Postgres
    seconds: float

    def single_rows(self, clients: int = 32) -> float:
        """Rows per second, one row per transaction: U32, or U1 from one client."""
        return self._transactions_per_second(_SCRIPTS / "insert_one.sql", clients)

    def many_rows(self, rows: int) -> float:
        """Rows per second from 4 clients, `rows` per statement."""
        payloads = "{" + ",".join([_PAYLOAD] * rows) + "}"
        return rows * self._transactions_per_second(_SCRIPTS / "insert_many.sql", 4, "--define", f"payloads={payloads}")

    def large_rows(self, payload: str, clients: int = 8) -> float:
        """Rows per second with this payload, one row per transaction. The payload, JSON without quotes and colons in
        its text, may be too long for an argument of pgbench."""
        with tempfile.TemporaryDirectory() as directory:
            script = Path(directory) / "insert_large.sql"
            script.write_text(f"INSERT INTO raw.job (payload) VALUES ('{payload}');\n")
            return self._transactions_per_second(script, clients)

    def commit_milliseconds(self, per_second: float) -> list[float]:
        """Duration in milliseconds of each single-row transaction at this rate, from one client."""
        with tempfile.TemporaryDirectory() as directory:
            prefix = Path(directory) / "log"
            self._transactions_per_second(
                _SCRIPTS / "insert_one.sql", 1, "--rate", f"{per_second:g}", "--log", "--log-prefix", str(prefix)
            )
            # client, transaction, microseconds since its planned start, script, time, microseconds, lag
            lines = [line.split() for file in Path(directory).iterdir() for line in file.read_text().splitlines()]
        return [(int(fields[2]) - int(fields[6])) / 1e3 for fields in lines]

    def _transactions_per_second(self, script: Path, clients: int, *options: str) -> float:
        with Session(self.postgres.superuser) as session:
            session.execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw")
            session.execute(
                "CREATE TABLE raw.job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload json NOT NULL)"
            )
        done = subprocess.run(
            ["pgbench", "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={min(clients, 2)}"]
            + [f"--time={max(1, round(self.seconds))}", f"--file={script}", *options]
            + [self.postgres.superuser],
            capture_output=True,
            text=True,
        )
        rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: ([0-9]+)", done.stdout, re.MULTILINE)
        if done.returncode != 0 or rate is None or failed is None or failed[1] != "0":
            raise Broken(f"pgbench: {done.stdout}{done.stderr}".strip())
        return float(rate[1])


def describe_milliseconds(values: list[float]) -> dict[str, float]:
    return {f"p{share}_ms": percentile(values, share / 100) for share in (50, 95, 99)}
