#!/usr/bin/env bash
# The chaos tests with many seeds, from a random one on. RUNS (20) is their number; SEED=n runs that one alone.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export TEST_SEED_COUNT=${RUNS:-20}
[[ -z ${SEED:-} ]] || TEST_SEED_COUNT=1
SEED=${SEED:-random} FILTER=Chaos exec Scripts/test.sh
