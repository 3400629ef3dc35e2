"""Checks what only this repository knows of its Dockerfiles; hadolint and checkov check the rest.

check.py DOCKERFILE... ; from the root of the repository.
"""

import io
import re
import sys
from pathlib import Path

from dockerfile_parse import DockerfileParser

VERSION_FILE = "Sources/Runtime/Telemetry/ProductVersion.swift"
# The number of the user: Kubernetes cannot see from a name that it is not root.
USER = "10001:10001"
# The images that an image may be built on. An example builds on a worker of ours.
BASES = ["SWIFT_IMAGE=swift:6.3-bookworm", "DEBIAN_IMAGE=debian:bookworm-slim"]
BASES_OF_EXAMPLES = ["WORKER_IMAGE=jobqueue-worker:{version}"]


def instructions(text):
    """(line, instruction, value) of each instruction, without comments."""
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()))
    return [
        (part["startline"] + 1, part["instruction"], part["value"])
        for part in parser.structure
        if part["instruction"] != "COMMENT"
    ]


def allowed(ignore_file):
    """The paths that .dockerignore lets through, which refuses everything first; None when it does not."""
    lines = [line for line in ignore_file.splitlines() if line and not line.startswith("#")]
    if lines[:1] != ["*"] or not all(line.startswith("!") for line in lines[1:]):
        return None
    return [line[1:] for line in lines[1:]]


def faults(text, version, bases, in_context):
    """What is wrong with a Dockerfile: (line, message). `in_context` says whether COPY finds a path."""
    parts = instructions(text)
    found = []
    for line, name, value in parts:
        if name == "FROM" and not value.startswith("${"):
            found.append((line, "names an image: that is the default of an ARG above it"))
        if name == "COPY" and not value.startswith("--from="):
            sources = [word for word in value.split()[:-1] if not word.startswith("--")]
            found += [(line, f"copies {source}, which is not in the context") for source in sources if not in_context(source)]
        if name == "HEALTHCHECK" and "CMD [" not in value:
            found.append((line, "needs a shell"))
        if name == "ARG" and value.startswith("VERSION=") and value != f"VERSION={version}":
            found.append((line, f"is not the version of the product, {version}"))
        if re.search(r"--mount=|--chmod=|<<", value):
            found.append((line, "is understood by BuildKit only"))
    before = next((index for index, part in enumerate(parts) if part[1] == "FROM"), len(parts))
    own = [value for _, name, value in parts[:before] if name == "ARG"]
    if own != bases:
        found.append((1, f"is built on {own}, not on {bases}"))
    if [value for _, name, value in parts if name == "USER"][-1:] != [USER]:
        found.append((len(text.splitlines()), f"does not end as USER {USER}"))
    return found


def main():
    version = re.search(r'let text = "([^"]+)"', Path(VERSION_FILE).read_text())[1]
    paths, count = [Path(name) for name in sys.argv[1:]], 0
    for path in paths:
        let_through = allowed((path.parent / ".dockerignore").read_text())
        if let_through is None:
            print(f"{path.parent}/.dockerignore: is not a list of what is allowed", file=sys.stderr)
            count += 1
            continue

        def in_context(source):
            is_allowed = any(source == entry or source.startswith(entry + "/") for entry in let_through)
            # A pattern stands for at least one file.
            return is_allowed and any(path.parent.glob(source.rstrip("/")))

        is_own = path.parent == Path(".")
        bases = BASES if is_own else [base.format(version=version) for base in BASES_OF_EXAMPLES]
        for line, message in faults(path.read_text(), version, bases, in_context):
            print(f"{path}:{line}: {message}", file=sys.stderr)
            count += 1
    own = [path for path in paths if path.parent == Path(".")]
    print(f"{len(paths)} Dockerfiles: {count} faults")
    # Where nothing was read, nothing was checked.
    sys.exit(1 if count or len(own) < 3 else 0)


if __name__ == "__main__":
    main()
