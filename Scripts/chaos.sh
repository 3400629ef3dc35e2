#!/usr/bin/env bash
# The chaos tests many times over, each time with another seed. RUNS (20) times; SEED=n repeats one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export CHAOS_RUNS=${RUNS:-20}
[[ -z ${SEED:-} ]] || export CHAOS_SEED=$SEED CHAOS_RUNS=1
FILTER=Chaos exec Scripts/test.sh
