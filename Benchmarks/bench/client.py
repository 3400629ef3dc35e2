"""A client of the API, for what needs no more than some hundred requests a second."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

from .installation import JOB
from .processes import Broken, Service

_JOBS_PER_POST = 500
_FILLING_CONNECTIONS = 4


class Api:
    """One keep-alive connection. Use it as a context manager."""

    def __init__(self, api: Service, key: str):
        self._connection = http.client.HTTPConnection(api.announced("address"), timeout=30)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create(self, job: str) -> str:
        """The id of one job, which is stored when this returns."""
        return str(json.loads(self._post("/api/jobs", job.encode()))["id"])

    def create_many(self, count: int, job: str = JOB) -> None:
        """So many equal jobs, as few requests as possible."""
        body = b""
        for first in range(0, count, _JOBS_PER_POST):
            jobs = min(_JOBS_PER_POST, count - first)
            if first == 0 or jobs < _JOBS_PER_POST:
                body = b'{"jobs":[' + b",".join([job.encode()] * jobs) + b"]}"
            self._post("/api/jobs/batch", body)

    def _post(self, path: str, body: bytes) -> bytes:
        self._connection.request("POST", path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 201:
            raise Broken(f"POST {path} was answered with {response.status}: {answer[:500].decode(errors='replace')}")
        return answer


def fill(api: Service, key: str, count: int) -> None:
    """Creates so many jobs by several connections."""

    def create(share: int) -> None:
        with Api(api, key) as client:
            client.create_many(share)

    # Whole requests for all but the first.
    share = count // _FILLING_CONNECTIONS // _JOBS_PER_POST * _JOBS_PER_POST
    shares = [count - share * (_FILLING_CONNECTIONS - 1)] + [share] * (_FILLING_CONNECTIONS - 1)
    with ThreadPoolExecutor(_FILLING_CONNECTIONS) as threads:
        list(threads.map(create, shares))
