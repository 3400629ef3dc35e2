"""Jobs offered at a steady rate by a thread of their own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .client import Api
from .processes import Broken, Service


@dataclass
class Offer:
    """Posts at a steady rate from a thread and a connection of its own. Use it as a context manager."""

    api: Service
    key: str
    posts_per_second: float
    post: Callable[[Api, int], int]
    """Sends one POST. The argument is the number of jobs posted before, the result the number of its jobs."""
    posted: int = 0
    """Number of acknowledged jobs."""
    milliseconds: list[float] = field(default_factory=list)
    """Duration of each POST."""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _failure: Exception | None = None

    def __enter__(self) -> "Offer":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        # The first failure is more informative.
        if failure is None:
            self.require_running()

    def require_running(self) -> None:
        """Raises Broken if a POST has failed."""
        if self._failure is not None:
            raise Broken(f"a POST failed: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            with Api(self.api, self.key) as client:
                self._post_until_over(client)
        except (Broken, OSError) as failure:
            self._failure = failure

    def _post_until_over(self, client: Api) -> None:
        began_at = time.monotonic()
        while not self._is_over.is_set():
            sent_at = time.monotonic()
            self.posted += self.post(client, self.posted)
            self.milliseconds.append((time.monotonic() - sent_at) * 1e3)
            ahead = began_at + len(self.milliseconds) / self.posts_per_second - time.monotonic()
            if ahead > 0:
                self._is_over.wait(ahead)
