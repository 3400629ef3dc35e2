"""Describes the machine of the measurement."""

import os
import platform
import subprocess
from pathlib import Path

from .settings import ROOT


def describe() -> dict[str, object]:
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "processors": usable_processors(),
        "memory_gibibytes": round(int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "file_system": _output("stat", "--file-system", "--format=%T", str(ROOT)),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def usable_processors() -> int:
    return len(os.sched_getaffinity(0))


def revision() -> str:
    """The git revision of the sources, with a `+` if they have uncommitted changes."""
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no", "--", "Sources")
    return commit + "+" * bool(changed)


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return None


def _output(*command: str) -> str:
    """Returns an empty text if the program is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
