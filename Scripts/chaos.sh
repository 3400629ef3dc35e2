#!/usr/bin/env bash
# Runs the chaos tests with RUNS (20) different seeds, the first of them random. SEED=n repeats one run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export TEST_SEED_COUNT=${RUNS:-20}
[[ -z ${SEED:-} ]] || TEST_SEED_COUNT=1
SEED=${SEED:-random} FILTER=Chaos exec Scripts/test.sh
