"""Measures processes, and starts jobqueue processes that do not outlive the run."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Broken(Exception):
    """A failure that a slow machine does not explain: an error, a lost job, a process that ended."""


def cpu_seconds(pid: int, with_reaped_children: bool = False) -> float:
    """CPU seconds of all threads of a process; 0 if it has ended. The resolution is a hundredth of a second."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The program's name, in parentheses, may contain blanks. proc(5) numbers utime 14, stime 15, cutime 16, cstime 17.
    fields = stat[stat.rindex(")") + 2 :].split()
    times = fields[11:15] if with_reaped_children else fields[11:13]
    return sum(map(int, times)) / _TICKS_PER_SECOND


def tree_cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, its children and its ended children: all of PostgreSQL."""
    return cpu_seconds(pid, with_reaped_children=True) + sum(cpu_seconds(child) for child in children(pid))


def children(pid: int) -> Iterable[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def resident_mebibytes(pid: int) -> float:
    return _memory_mebibytes(pid, "VmRSS:")


def peak_mebibytes(pid: int) -> float:
    """The most resident memory since the start of the process."""
    return _memory_mebibytes(pid, "VmHWM:")


def _memory_mebibytes(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise Broken(f"process {pid} has no memory")


class Service:
    """A jobqueue program from its start to its stop. Use it as a context manager."""

    START_SECONDS = 30
    STOP_SECONDS = 20

    def __init__(self, program: Path, environment: Mapping[str, str], awaited_message: str):
        self.name = program.name
        self.problems: list[str] = []
        """Log lines of level WARNING or above, without those logged while it stops."""
        self.is_stopped = False
        self._awaited_message = awaited_message
        self._has_begun = threading.Event()
        self._began_at = 0.0
        self._announcement: dict[str, object] = {}
        started_at = time.monotonic()
        # The kernel stops it if this process is killed.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", str(program)],
            env={"PATH": os.environ["PATH"]} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches only this process, which then stops the others in order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._has_begun.wait(self.START_SECONDS) or not self._announcement:
            self.stop()
            raise Broken(f"{self.name} did not start: {'; '.join(self.problems) or 'no output'}")
        self.start_seconds = self._began_at - started_at
        """Seconds from the call until the awaited log line."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def announced(self, field: str) -> str:
        """A field of the awaited log line."""
        return str(self._announcement[field])

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def resident_mebibytes(self) -> float:
        return resident_mebibytes(self.pid)

    def peak_mebibytes(self) -> float:
        return peak_mebibytes(self.pid)

    def send(self, signal: int) -> None:
        self._process.send_signal(signal)

    def require_running(self) -> None:
        """Raises Broken if it has ended."""
        status = self._process.poll()
        if status is not None:
            raise Broken(f"{self.name} has ended with status {status}: {'; '.join(self.problems[-3:])}")

    def stop(self) -> None:
        """Raises Broken if it had ended before, or ends with an error."""
        if self.is_stopped:
            return
        self.is_stopped = True
        ended_before = self._process.poll()
        self._process.terminate()
        try:
            status = self._process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise Broken(f"{self.name} did not stop within {self.STOP_SECONDS} s") from None
        finally:
            self._reader.join()
        if ended_before is not None or status != 0:
            raise Broken(f"{self.name} ended with status {status}: {'; '.join(self.problems[-3:])}")

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            self.stop()
        except Broken:
            # The first failure is more informative.
            if failure is None:
                raise

    def _read_log(self) -> None:
        """Drains the log: a full pipe would block the process."""
        assert self._process.stdout is not None
        with self._process.stdout as log:
            for line in log:
                self._take(line.decode(errors="replace").rstrip())
        self._has_begun.set()

    def _take(self, line: str) -> None:
        now = time.monotonic()
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"level": "ERROR", "message": line}
        if entry.get("message") == self._awaited_message and not self._announcement:
            self._began_at = now
            self._announcement = entry
            self._has_begun.set()
        if not self.is_stopped and str(entry.get("level")).upper() not in ("TRACE", "DEBUG", "INFO"):
            detail = entry.get("error") or entry.get("reason")
            self.problems.append(f"{entry.get('message')}{f': {detail}' if detail else ''}")
