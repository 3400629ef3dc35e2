"""Runs one files.sha256 job for each file below /usr/share/doc, and compares every result with sha256sum.

    python3 examples/first-steps/check_files.py --url http://127.0.0.1:8000 --key-file .local/api-key

Exits with 1 when a result differs, or when jobs are not done.
"""

import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

ROOT = "/usr/share/doc"
JOBS_PER_POST = 500
FINAL = {"succeeded", "failed", "cancelled"}
# Each job is short: without any progress for this long, something holds them back.
PATIENCE_SECONDS = 60


class Failure(Exception):
    pass


class Api:
    """The API over one connection."""

    def __init__(self, url, key):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=30)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def call(self, method, path, body=None):
        try:
            content = json.dumps(body, ensure_ascii=False).encode() if body else None
            self.connection.request(method, path, content, self.headers)
            response = self.connection.getresponse()
            text = response.read().decode()
        except OSError as error:
            raise Failure(f"{method} {path}: {error}") from error
        if response.status >= 300:
            raise Failure(f"{method} {path}: {response.status} {response.reason}\n{text}")
        return json.loads(text)


def regular_files(root):
    """Paths below the root, except those that are not UTF-8 or that need escapes in JSON."""
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(directory, name)
            try:
                path.encode()
            except UnicodeEncodeError:
                continue
            is_plain = path.isprintable() and not set(path) & {'"', "\\"}
            if is_plain and os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)


def create_jobs(api, paths):
    ids = []
    for start in range(0, len(paths), JOBS_PER_POST):
        jobs = [
            {"type": "files.sha256", "payload": {"path": path}, "max_attempts": 3, "tags": ["example"]}
            for path in paths[start : start + JOBS_PER_POST]
        ]
        ids += [job["id"] for job in api.call("POST", "/api/jobs/batch", {"jobs": jobs})["jobs"]]
    return ids


def show_progress(done, total, since):
    if not sys.stdout.isatty() and done < total:
        return
    filled = 40 * done // total
    rate = done / max(time.monotonic() - since, 0.001)
    line = f"[{'#' * filled}{'.' * (40 - filled)}] {done} of {total} jobs, {rate:.0f} a second"
    print(f"\r{line}" if sys.stdout.isatty() else line, end="" if done < total else "\n", flush=True)


def reasons(api, job_id):
    """What keeps a job from running, in the words of the api."""
    found = api.call("GET", f"/api/jobs/{job_id}/why")["reasons"]
    return "; ".join(reason["detail"] for reason in found) or "nothing holds it back"


def wait_for_jobs(api, ids):
    """All jobs after their end, in the order of the ids, which is roughly the order in which they run."""
    jobs = []
    since = last_change = last_shown = time.monotonic()
    for job_id in ids:
        while (job := api.call("GET", f"/api/jobs/{job_id}"))["status"] not in FINAL:
            show_progress(len(jobs), len(ids), since)
            if time.monotonic() - last_change > PATIENCE_SECONDS:
                raise Failure(f"job {job_id} is {job['status']} for {PATIENCE_SECONDS} s: {reasons(api, job_id)}")
            time.sleep(0.05)
        jobs.append(job)
        last_change = time.monotonic()
        if last_change - last_shown > 0.1:
            show_progress(len(jobs), len(ids), since)
            last_shown = last_change
    show_progress(len(jobs), len(ids), since)
    return jobs


def sums_by_sha256sum(paths):
    sums = {}
    for start in range(0, len(paths), JOBS_PER_POST):
        command = ["sha256sum", "--zero", "--"] + paths[start : start + JOBS_PER_POST]
        output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        for line in output.decode().rstrip("\0").split("\0"):
            digest, path = line.split("  ", 1)
            sums[path] = digest
    return sums


def disagreement(job, path, digest):
    """What is wrong with one job; None if its result equals that of sha256sum."""
    if job["status"] != "succeeded":
        return f"{job['status']}: {job.get('last_error')}"
    result = job["result"]
    if result["path"] != path or result["sha256"] != digest:
        return f"result {result}, but sha256sum computed {digest}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key-file", type=pathlib.Path, help="default: the key in API_SECRET_KEY")
    parser.add_argument("--jobs", type=int, default=5000, help="maximum number of jobs")
    options = parser.parse_args()
    key = options.key_file.read_text().strip() if options.key_file else os.environ["API_SECRET_KEY"]

    api = Api(options.url, key)
    paths = list(regular_files(ROOT))[: options.jobs]
    if not paths:
        raise Failure(f"there are no files below {ROOT}")
    print(f"{len(paths)} files below {ROOT}, one job each")
    jobs = wait_for_jobs(api, create_jobs(api, paths))

    expected = sums_by_sha256sum(paths)
    wrong = [
        f"{path}: {reason}"
        for path, job in zip(paths, jobs, strict=True)
        if (reason := disagreement(job, path, expected[path]))
    ]
    print(f"{len(paths) - len(wrong)} of {len(paths)} results agree with sha256sum")
    for line in wrong[:10]:
        print(f"  {line}")
    return 1 if wrong else 0


try:
    sys.exit(main())
except Failure as failure:
    print(f"\nerror: {failure}", file=sys.stderr)
    sys.exit(1)
