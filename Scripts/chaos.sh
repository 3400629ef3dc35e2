#!/usr/bin/env bash
# Runs the chaos tests RUNS times (20), each with a different seed. SEED=n repeats one run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export CHAOS_RUNS=${RUNS:-20}
[[ -z ${SEED:-} ]] || export CHAOS_SEED=$SEED CHAOS_RUNS=1
FILTER=Chaos exec Scripts/test.sh
