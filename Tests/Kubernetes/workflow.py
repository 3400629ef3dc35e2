"""Checks the workflow of k8s/ci-cd-example.yaml on standard input: its shape, its jobs, and the syntax of its scripts.

Nothing runs that workflow here. A text without jobs is an error.
"""

import subprocess
import sys

import yaml


def faults(workflow):
    jobs = workflow.get("jobs") or {}
    # YAML 1.1 reads `on` as true.
    if not workflow.get("name") or not workflow.get(True) or not jobs:
        yield "has no name, no trigger or no jobs"
    for name, job in jobs.items():
        needs = job.get("needs", [])
        for needed in [needs] if isinstance(needs, str) else needs:
            if needed not in jobs:
                yield f"{name} needs {needed}, which is no job"
        if not job.get("runs-on") or not job.get("steps"):
            yield f"{name} has no runs-on or no steps"
        for number, step in enumerate(job.get("steps", []), 1):
            title = f"{name}, step {number}"
            if ("run" in step) == ("uses" in step):
                yield f"{title} must have either run or uses"
            script = step.get("run", "")
            checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            if checked.returncode:
                yield f"{title}: {checked.stderr.strip()}"


def main():
    workflow = yaml.safe_load(sys.stdin.read())
    found = list(faults(workflow)) if isinstance(workflow, dict) else ["is no workflow"]
    for fault in found:
        print(f"k8s/ci-cd-example.yaml: {fault}", file=sys.stderr)
    print(f"workflow: {len(found)} faults")
    sys.exit(1 if found else 0)


main()
