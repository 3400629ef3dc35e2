#!/usr/bin/env bash
# Measures the release binaries beside the raw limits of this machine. A full run writes Benchmarks/results.json.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh
Scripts/build.sh
exec Benchmarks/run.sh "$@"
