#!/usr/bin/env bash
# Builds and runs all tests, or those that match FILTER=regex. SEED=n|random replaces the fixed seed of the tests that
# draw random numbers. SANITIZE=thread|address builds with that sanitizer, in a separate directory.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh
options=()
if [[ -n ${SANITIZE:-} ]]; then
    [[ $SANITIZE == thread || $SANITIZE == address ]] || fail "SANITIZE=$SANITIZE: accepted: thread, address"
    options+=(--sanitize="$SANITIZE" --scratch-path ".build/$SANITIZE")
fi
require_writable .build
[[ -z ${SEED:-} ]] || export TEST_SEED=$SEED

# The integration tests start the three programs, which this builds too.
swift build --build-tests --explicit-target-dependency-import-check error "${options[@]}"
# Maximum number of concurrent tests. Most of them wait for processes, timeouts and PostgreSQL, so a processor serves
# four; without a limit, all tests at once would make each other miss their deadlines.
width=$(($(nproc) * 4))
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-$width}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
swift test --skip-build --disable-xctest "${options[@]}" ${FILTER:+--filter "$FILTER"} 2>&1 | tee "$log" || status=$?
if ((status != 0)); then
    # Repeats the lines about failures at the end, where they are easy to find.
    echo "--- failures:"
    grep '^TEST_SEED=' "$log" || true
    grep -E -A 12 'recorded an issue|Fatal error|unexpected signal|: error:' "$log" | tail -n 200 || true
fi
exit "$status"
