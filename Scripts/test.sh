#!/usr/bin/env bash
# Builds and runs all tests. FILTER=regex runs only those; SEED=n replaces the fixed seed of tests that draw random
# numbers, SEED=random draws one; SANITIZE=thread|address builds with that sanitizer, apart from the usual build.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh
options=()
if [[ -n ${SANITIZE:-} ]]; then
    [[ $SANITIZE == thread || $SANITIZE == address ]] || fail "SANITIZE=$SANITIZE: accepted are thread and address."
    options+=(--sanitize="$SANITIZE" --scratch-path ".build/$SANITIZE")
fi
require_writable .build
[[ -z ${SEED:-} ]] || export TEST_SEED=$SEED

# The integration tests start the three binaries that this builds beside them.
swift build --build-tests --explicit-target-dependency-import-check error "${options[@]}"
# At most this many tests run at once: on few cores, all of them would make each other miss their deadlines.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-4}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
swift test --skip-build --disable-xctest "${options[@]}" ${FILTER:+--filter "$FILTER"} 2>&1 | tee "$log" || status=$?
if ((status != 0)); then
    # A failure among a thousand lines is not found: the lines that tell of it stand at the end once more.
    echo "--- what failed:"
    grep '^TEST_SEED=' "$log" || true
    grep -E -A 12 'recorded an issue|Fatal error|unexpected signal|: error:' "$log" | tail -n 200 || true
fi
exit "$status"
