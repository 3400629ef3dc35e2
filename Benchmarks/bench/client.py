"""A client of the API, for up to some hundred requests a second.

It uses a bare socket: `http.client` takes half a millisecond per request, which would be part of a measured latency.
"""

import json
import socket
from collections.abc import Sequence
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
        return str(json.loads(self.request("POST", "/api/jobs", job.encode()))["id"])

    def create_many(self, count: int, jobs: Sequence[str] = (JOB,), first: int = 0) -> int:
        """Creates `count` jobs in as few requests as possible, and returns `count`. They repeat `jobs` in their order,
        from number `first` on."""
        bodies: dict[tuple[int, int], bytes] = {}
        for offset in range(0, count, _JOBS_PER_POST):
            size = min(_JOBS_PER_POST, count - offset)
            start = (first + offset) % len(jobs)
            if (start, size) not in bodies:
                body = ",".join(jobs[(start + number) % len(jobs)] for number in range(size))
                bodies[start, size] = f'{{"jobs":[{body}]}}'.encode()
            self.request("POST", "/api/jobs/batch", bodies[start, size])
        return count

    def change(self, method: str, path: str, **members: object) -> None:
        self.request(method, path, json.dumps(members).encode())

    def get(self, path: str) -> str:
        return self.request("GET", path).decode()

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Returns the body of the answer. Raises Broken if the request failed."""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = bytearray()
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        fields = answer[:end].lower().split(b"\r\n")
        length = next(int(field[15:]) for field in fields if field.startswith(b"content-length:"))
        while len(answer) < end + 4 + length:
            answer += self._receive()
        if not answer.startswith(b"HTTP/1.1 2"):
            raise Broken(f"{method} {path} returned {answer[:500].decode(errors='replace')}")
        return bytes(answer[end + 4 :])

    def _receive(self) -> bytes:
        received = self._socket.recv(65536)
        if not received:
            raise Broken("the api closed the connection within an answer")
        return received


def with_keys(count: int, job: str = JOB) -> list[str]:
    """The job with each of `count` concurrency keys."""
    return [f'{job[:-1]},"concurrency_key":"key {number}"}}' for number in range(count)]


def fill(api: Service, key: str, count: int, jobs: Sequence[str] = (JOB,)) -> None:
    """Creates `count` jobs over several connections. They repeat `jobs`."""

    def create(first: int, count: int) -> None:
        with Api(api, key) as client:
            client.create_many(count, jobs, first)

    # All shares but the last consist of full requests.
    share = count // _FILLING_CONNECTIONS // _JOBS_PER_POST * _JOBS_PER_POST
    firsts = [share * number for number in range(_FILLING_CONNECTIONS)]
    shares = [share] * (_FILLING_CONNECTIONS - 1) + [count - firsts[-1]]
    with ThreadPoolExecutor(_FILLING_CONNECTIONS) as threads:
        list(threads.map(create, firsts, shares))
