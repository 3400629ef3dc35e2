"""Load from wrk, over keep-alive connections of one thread."""

import json
import os
import subprocess
from dataclasses import dataclass

from .installation import JOB
from .processes import Broken, Service
from .settings import ROOT

_SCRIPT = ROOT / "Benchmarks" / "load" / "post.lua"


@dataclass(frozen=True)
class Load:
    connections: int
    jobs_per_request: int = 1

    @property
    def in_flight_jobs(self) -> int:
        """Maximum number of jobs that were sent, and perhaps stored, but not answered when wrk ended."""
        return self.connections * self.jobs_per_request


@dataclass(frozen=True)
class LoadResult:
    jobs: int
    """Acknowledged jobs."""
    jobs_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def post_jobs(api: Service, key: str, load: Load, seconds: float) -> LoadResult:
    """Raises Broken if any request failed."""
    path = "/api/jobs" if load.jobs_per_request == 1 else "/api/jobs/batch"
    done = subprocess.run(
        ["wrk", "--threads=1", f"--connections={load.connections}", f"--duration={max(1, round(seconds))}s"]
        + ["--timeout=30s", f"--script={_SCRIPT}", f"http://{api.announced('address')}{path}"],
        env={
            "PATH": os.environ["PATH"],
            "API_SECRET_KEY": key,
            "JOB": JOB,
            "JOBS_PER_REQUEST": str(load.jobs_per_request),
        },
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Broken(f"wrk: {done.stdout}{done.stderr}".strip())
    found = json.loads(done.stdout.splitlines()[-1])
    if found["errors"] or not found["requests"]:
        raise Broken(f"{found['errors']} of {found['requests']} POSTs failed from {load.connections} connections")
    jobs = found["requests"] * load.jobs_per_request
    return LoadResult(jobs, jobs / found["seconds"], found["p50_ms"], found["p99_ms"], found["max_ms"])
