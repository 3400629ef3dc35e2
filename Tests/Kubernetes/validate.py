"""Validates manifests against the schemas of Kubernetes, strictly: an unknown field is an error.

validate.py VERSION|all|ends FILE...: `all` uses every version with a schema, `ends` the oldest and the newest; the file
`-` is standard input.
"""

import re
import sys
from importlib.resources import files

import kubernetes_validate
import yaml

# Resources of operators, without a schema here.
CUSTOM = {"monitoring.coreos.com/v1", "keda.sh/v1alpha1"}

# An optional block that is commented out: `# - type: External` and the lines after it.
OPTIONAL = re.compile(r"^( *)# (- type: External|  +\S.*)$", re.MULTILINE)


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
        yield " (with the optional block)", OPTIONAL.sub(r"\1\2", text)


def faults(name, text, version):
    for number, document in enumerate(yaml.safe_load_all(text), 1):
        if document is None or document["apiVersion"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as error:  # any exception means that the manifest is invalid
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
