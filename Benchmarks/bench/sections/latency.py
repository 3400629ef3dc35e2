"""From sending a POST to the start of the job's handler, at fifty jobs a second.

Client and PostgreSQL run on the same machine and use the same clock. The start of the handler is not recorded, so it
is bounded by moments that are:

- `echo` succeeds as it starts, and PostgreSQL's clock in the statement that finishes it is later. So POST to finish is
  an upper bound: it includes the commit of the job, the notification, the commit of the lease, the run, and the way of
  the result to PostgreSQL.
- PostgreSQL's clock in the lease statement is earlier: a lower bound.
- A webhook's receiver records when the whole request has arrived: what a user's code would see, with one more HTTP
  request.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..client import Api
from ..context import Context
from ..figure import Figure, Target, value_at_most
from ..installation import SCHEMA, wait_until_done
from ..processes import Broken, Service
from ..raw_limits import describe_milliseconds
from ..settings import ROOT

_JOBS_PER_SECOND = 50
_RECEIVER = ROOT / "Benchmarks" / "load" / "receiver.py"
_WARM_UP_JOBS = 50


def measure(context: Context) -> list[Figure]:
    commits = context.raw.commit_milliseconds(_JOBS_PER_SECOND)
    raw = describe_milliseconds(commits)
    acknowledged, leased, finished = _echo(context)
    received = _webhook(context)
    return [
        *_figures("POST to start of the handler", finished, raw, p50=value_at_most(2), p99=value_at_most(6)),
        *_figures("POST to a webhook's receiver", received, raw),
        *_figures("POST to lease (earlier than the start)", leased, raw),
        *_figures("POST to its answer", acknowledged, raw),
    ]


def _figures(
    name: str, found: list[float], raw: dict[str, float], p50: Target | None = None, p99: Target | None = None
) -> list[Figure]:
    described = describe_milliseconds(found)
    others = {"p95_ms": described["p95_ms"], "max_ms": max(found)}
    return [
        Figure(f"{name}, p50", "ms", [described["p50_ms"]], "durable commit", [raw["p50_ms"]], p50),
        Figure(f"{name}, p99", "ms", [described["p99_ms"]], "durable commit", [raw["p99_ms"]], p99, others),
    ]


def _echo(context: Context) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds from sending to the answer, to the lease and to the finish."""
    context.installation.reset()
    with context.installation.reaper(), context.installation.api() as api, context.installation.worker() as worker:
        sent, acknowledged = _post(context, api, "echo")
        with context.installation.session() as session:
            wait_until_done(session, worker)
            ends = session.rows(
                "SELECT id, extract(epoch FROM started_at), extract(epoch FROM finished_at)"
                f" FROM {SCHEMA}.outcome WHERE status = 'succeeded'"
            )
    started_at = {id: float(started) for id, started, _ in ends}
    finished_at = {id: float(finished) for id, _, finished in ends}
    return acknowledged, _since(sent, started_at), _since(sent, finished_at)


def _webhook(context: Context) -> list[float]:
    """Milliseconds from sending to the arrival at a receiver on this machine."""
    context.installation.reset()
    # The kernel stops the receiver if this process is killed.
    command = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, str(_RECEIVER)]
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver,
    ):
        assert receiver.stdin is not None and receiver.stdout is not None
        port = int(receiver.stdout.readline())
        handlers = Path(directory) / "handlers.json"
        handlers.write_text(json.dumps({"handlers": {"arrive": {"http": f"http://127.0.0.1:{port}/"}}}))
        settings = {"WORKER_HANDLERS_FILE": handlers, "WEBHOOK_ALLOW": "127.0.0.1"}
        with (
            context.installation.reaper(),
            context.installation.api() as api,
            context.installation.worker(**settings) as worker,
        ):
            sent, _ = _post(context, api, "arrive")
            with context.installation.session() as session:
                wait_until_done(session, worker)
        receiver.stdin.close()
        arrived_at = {id: float(at) for id, at in map(str.split, receiver.stdout)}
    return _since(sent, arrived_at)


def _post(context: Context, api: Service, type: str) -> tuple[dict[str, float], list[float]]:
    """The send time of each id, and the milliseconds until each answer. Each job is sent at a random moment of its
    slot, so that no timer is synchronous with the load."""
    chance = random.Random(1)
    sent: dict[str, float] = {}
    acknowledged: list[float] = []
    job = json.dumps({"type": type, "payload": {"to": "someone@example.com", "n": 12345}})
    with Api(api, context.installation.key) as client:
        begin = time.time() + 0.1
        for number in range(_WARM_UP_JOBS + round(_JOBS_PER_SECOND * context.settings.seconds * 2)):
            slot = begin + (number + chance.random()) / _JOBS_PER_SECOND
            time.sleep(max(0, slot - time.time()))
            sent_at = time.time()
            id = client.create(job)
            if number >= _WARM_UP_JOBS:
                sent[id] = sent_at
                acknowledged.append((time.time() - sent_at) * 1e3)
    return sent, acknowledged


def _since(sent: dict[str, float], seen: dict[str, float]) -> list[float]:
    """Milliseconds between the two times. Raises Broken if an acknowledged job has not run."""
    lost = sent.keys() - seen.keys()
    if lost:
        raise Broken(f"{len(lost)} of {len(sent)} acknowledged jobs have not run, {min(lost)} among them")
    return [(seen[id] - at) * 1e3 for id, at in sent.items()]
