"""Resident memory of each program: idle, and with a thousand connections or running jobs."""

import socket
import time
from contextlib import ExitStack

from ..client import Api
from ..context import Context
from ..figure import Figure, value_at_most
from ..installation import SCHEMA
from ..processes import Broken, Service

_COUNT = 1_000
_IDLE_SECONDS = 2
_TARGET = value_at_most(64)


def measure(context: Context) -> list[Figure]:
    context.installation.reset()
    found: dict[str, float] = {}
    with context.installation.reaper() as reaper, context.installation.api() as api:
        with context.installation.worker() as worker:
            time.sleep(_IDLE_SECONDS)
            for service in (api, worker, reaper):
                found[f"{service.name}, idle"] = service.resident_mebibytes()
        found[f"jobqueue-api, {_COUNT} keep-alive connections"] = _with_connections(context, api)
        found[f"jobqueue-worker, {_COUNT} jobs running"] = _with_jobs(context, api)
    return [Figure(name, "MiB", [value], target=_TARGET) for name, value in found.items()]


def _with_connections(context: Context, api: Service) -> float:
    """Measures the api after one answered request per connection."""
    host, port = api.announced("address").rsplit(":", 1)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(_COUNT)]
        for connection in sockets:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: benchmark\r\n\r\n")
        for connection in sockets:
            if not connection.recv(4096).startswith(b"HTTP/1.1 200 "):
                raise Broken("GET /health was not answered with 200")
        time.sleep(_IDLE_SECONDS)
        return api.resident_mebibytes()


def _with_jobs(context: Context, api: Service) -> float:
    with Api(api, context.installation.key) as client:
        client.create_many(_COUNT, ['{"type":"sleep","payload":60}'])
    # With a grace of 0 the jobs are released at once at the end.
    settings = {"WORKER_CONCURRENCY": _COUNT, "WORKER_BATCH_SIZE": _COUNT, "WORKER_SHUTDOWN_GRACE_SECONDS": 0}
    with context.installation.worker(**settings) as worker, context.installation.session() as session:
        deadline = time.monotonic() + 20
        while (running := session.integer(f"SELECT count(*) FROM {SCHEMA}.lease")) < _COUNT:
            if time.monotonic() > deadline:
                raise Broken(f"only {running} of {_COUNT} jobs are running")
            time.sleep(0.1)
        time.sleep(_IDLE_SECONDS)
        return worker.resident_mebibytes()
