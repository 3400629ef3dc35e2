"""An installation of jobqueue: its schema, and its processes with their environment."""

import os
import secrets
import subprocess
import time
from dataclasses import dataclass, field

from .postgres import Postgres, Session
from .processes import Broken, Service
from .settings import ROOT, Settings

SCHEMA = "jobqueue"
# The job of measurements of the queue itself. Its payload is as long as an ordinary reference.
JOB = '{"type":"echo","payload":{"to":"someone@example.com","n":12345}}'
# A worker that leases as many jobs at once as it can.
TUNED_WORKER: dict[str, object] = {"WORKER_CONCURRENCY": 1_000, "WORKER_BATCH_SIZE": 1_000, "WORKER_BATCH_MAX": 1_000}


@dataclass
class Installation:
    """A separate schema on a private PostgreSQL, and methods that start the programs on it."""

    settings: Settings
    postgres: Postgres
    key: str = field(default_factory=lambda: secrets.token_hex(32))
    started: list[Service] = field(default_factory=list)
    """Every jobqueue process so far, to collect its warnings."""

    def reset(self) -> None:
        """Creates an empty schema and runs a checkpoint. No jobqueue process may be running."""
        with self.session() as session:
            session.execute(f"SET client_min_messages = error; DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        done = subprocess.run(
            [self.settings.binaries / "jobqueue-api", "migrate"],
            env=self._environment() | {"API_SECRET_KEY": self.key, "MIGRATIONS_DIR": str(ROOT / "Migrations")},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise Broken(f"jobqueue-api migrate: {done.stdout}{done.stderr}".strip())
        with Session(self.postgres.superuser) as session:
            session.execute("CHECKPOINT")

    def session(self) -> Session:
        """A session of the role that owns the schema."""
        return Session(self.postgres.url)

    def api(self) -> Service:
        return self._service(
            "jobqueue-api", "listening", {"API_SECRET_KEY": self.key, "API_HOST": "127.0.0.1", "API_PORT": "0"}
        )

    def worker(self, **settings: object) -> Service:
        return self._service("jobqueue-worker", "working", {name: str(value) for name, value in settings.items()})

    def reaper(self, **settings: object) -> Service:
        return self._service("jobqueue-reaper", "reaping", {name: str(value) for name, value in settings.items()})

    def _service(self, program: str, awaited_message: str, extra: dict[str, str]) -> Service:
        service = Service(self.settings.binaries / program, self._environment() | extra, awaited_message)
        self.started.append(service)
        return service

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "DATABASE_URL": self.postgres.url, "DATABASE_SCHEMA": SCHEMA}


def stored_jobs(session: Session) -> int:
    return session.integer(f"SELECT count(*) FROM {SCHEMA}.job")


def unfinished_jobs(session: Session) -> int:
    """Read from counters: the cost does not depend on the number of jobs."""
    return session.integer(
        f"SELECT COALESCE(sum(n), 0) FROM {SCHEMA}.depth WHERE status IN ('queued', 'scheduled', 'running', 'ending')"
    )


def succeeded_per_second(session: Session, jobs: int) -> float:
    """Rate from the first lease to the last end, by PostgreSQL's clock. Raises Broken unless `jobs` succeeded."""
    succeeded, seconds = session.rows(
        "SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))"
        f" FROM {SCHEMA}.outcome WHERE status = 'succeeded'"
    )[0]
    if int(succeeded) != jobs:
        raise Broken(f"{jobs} jobs were created, but {succeeded} succeeded")
    return jobs / float(seconds)


def wait_until_done(session: Session, *watched: Service, patience_seconds: float = 600) -> None:
    """Returns when no job is unfinished. Raises Broken if a service has ended or no job ends."""
    fewest = unfinished_jobs(session)
    deadline = time.monotonic() + patience_seconds
    while fewest > 0:
        time.sleep(0.25)
        now = unfinished_jobs(session)
        if now < fewest:
            deadline = time.monotonic() + patience_seconds
        elif time.monotonic() > deadline:
            raise Broken(f"{now} jobs are unfinished, and no job has ended for {patience_seconds:g} s")
        fewest = now
        for service in watched:
            service.require_running()
