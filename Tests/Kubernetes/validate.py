"""Holds manifests against the schemas of Kubernetes, strictly: an unknown field is an error.

validate.py VERSION|all|ends FILE... ; `all` versions that the schemas are there for, or the first and the last of them;
`-` for what stands on standard input.
"""

import re
import sys
from importlib.resources import files

import kubernetes_validate
import yaml

# Of operators: their schemas are theirs.
CUSTOM = {"monitoring.coreos.com/v1", "keda.sh/v1alpha1"}

# A block of a manifest that waits to be used: `# - type: External` and what follows.
WAITING = re.compile(r"^( *)# (- type: External|  +\S.*)$", re.MULTILINE)


def versions(wanted):
    if wanted not in ("all", "ends"):
        return [wanted]
    names = [entry.name for entry in (files("kubernetes_validate") / "kubernetes-json-schema").iterdir()]
    known = {m.group(1) for name in names if (m := re.match(r"v(\d+\.\d+)", name))}
    ordered = sorted(known, key=lambda version: int(version.split(".")[1]))
    return ordered if wanted == "all" else [ordered[0], ordered[-1]]


def variants(text):
    yield "", text
    if "# - type: External" in text:
        yield " (with what is commented out)", WAITING.sub(r"\1\2", text)


def faults(name, text, version):
    for number, document in enumerate(yaml.safe_load_all(text), 1):
        if document is None or document["apiVersion"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as error:  # whatever it raises, the manifest did not pass
            what = f"{document['kind']} {document['metadata']['name']}"
            yield f"{name}: document {number}, {what}, Kubernetes {version}: {getattr(error, 'message', error)}"


def main():
    wanted, names = versions(sys.argv[1]), sys.argv[2:]
    found, read = [], 0
    for name in names:
        text = sys.stdin.read() if name == "-" else open(name, encoding="utf-8").read()
        for note, variant in variants(text):
            read += 1
            for version in wanted:
                found += faults(name + note, variant, version)
    for fault in found:
        print(fault, file=sys.stderr)
    print(f"{read} manifests, Kubernetes {wanted[0]} to {wanted[-1]}: {len(found)} faults")
    sys.exit(1 if found or not read else 0)


main()
