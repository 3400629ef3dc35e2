"""A client of the API, for up to some hundred requests a second.

It uses a bare socket: `http.client` takes half a millisecond per request, which would be part of a measured latency.
"""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

from .installation import JOB
from .processes import Broken, Service

_JOBS_PER_POST = 500
_FILLING_CONNECTIONS = 4


class Api:
    """One keep-alive connection. Use it as a context manager."""

    def __init__(self, api: Service, key: str):
        host, port = api.announced("address").rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def create(self, job: str) -> str:
        """Creates one job and returns its id. The job is stored when this returns."""
        return str(json.loads(self._post("/api/jobs", job.encode()))["id"])

    def create_many(self, count: int, job: str = JOB, keys: int = 0) -> None:
        """Creates `count` equal jobs in as few requests as possible. `keys`: number of different concurrency keys."""
        variants = [job[:-1] + f',"concurrency_key":"key {number}"}}' for number in range(keys)] or [job]
        bodies: dict[tuple[int, int], bytes] = {}
        for first in range(0, count, _JOBS_PER_POST):
            jobs = min(_JOBS_PER_POST, count - first)
            start = first % len(variants)
            if (start, jobs) not in bodies:
                body = ",".join(variants[(start + number) % len(variants)] for number in range(jobs))
                bodies[start, jobs] = f'{{"jobs":[{body}]}}'.encode()
            self._post("/api/jobs/batch", bodies[start, jobs])

    def _post(self, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = self._receive(b"")
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer = self._receive(answer)
        fields = answer[:end].lower().split(b"\r\n")
        length = next(int(field[15:]) for field in fields if field.startswith(b"content-length:"))
        while len(answer) < end + 4 + length:
            answer = self._receive(answer)
        if not answer.startswith(b"HTTP/1.1 201 "):
            raise Broken(f"POST {path} returned {answer[:500].decode(errors='replace')}")
        return answer[end + 4 :]

    def _receive(self, before: bytes) -> bytes:
        received = self._socket.recv(65536)
        if not received:
            raise Broken("the api closed the connection within an answer")
        return before + received


def fill(api: Service, key: str, count: int, keys: int = 0) -> None:
    """Creates `count` jobs over several connections. `keys`: number of different concurrency keys; 0: none."""

    def create(share: int) -> None:
        with Api(api, key) as client:
            client.create_many(share, keys=keys)

    # All shares but the first consist of full requests.
    share = count // _FILLING_CONNECTIONS // _JOBS_PER_POST * _JOBS_PER_POST
    shares = [count - share * (_FILLING_CONNECTIONS - 1)] + [share] * (_FILLING_CONNECTIONS - 1)
    with ThreadPoolExecutor(_FILLING_CONNECTIONS) as threads:
        list(threads.map(create, shares))
