#!/usr/bin/env bash
# run.sh [SECTION...]: measures the binaries of .build/release beside the raw limits of this machine. Runs these
# sections, those of ONLY="SECTION ...", or all; docs/benchmarks.md describes them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../Scripts/prelude.sh"

Scripts/deps.sh bench
require_writable .local Benchmarks
mkdir -p .local
# Two runs at once would measure each other. The lock ends with the process; no child inherits it.
exec 9>.local/bench.lock
flock --nonblock 9 || fail "another benchmark of this checkout is running."

read -r -a sections <<<"${ONLY:-}"
(($# == 0)) || sections=("$@")
export PYTHONPATH=Benchmarks PYTHONDONTWRITEBYTECODE=1
exec python3 -m bench "${sections[@]}"
