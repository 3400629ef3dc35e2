#!/usr/bin/env bash
# Checks the format of the Swift code (.swift-format), the scripts (shellcheck), the Prometheus rules, the manifests and
# the Dockerfiles. Exits with 1 on any finding.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh lint
failed=0

folders=(Package.swift Plugins Sources Tests)
[[ ! -d Benchmarks ]] || folders+=(Benchmarks)
swift format lint --strict --parallel --recursive "${folders[@]}" ||
    { failed=1 && say "swift format --in-place --recursive ${folders[*]}    # fixes most of them"; }

mapfile -t scripts < <(
    find . \( -name .build -o -name .local -o -name .git \) -prune -o \( -name '*.sh' -o -path ./.ci/run \) -print
)
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}" || failed=1

Scripts/check-rules.sh || failed=1
Scripts/check-manifests.sh || failed=1

((failed == 0)) || fail "lint has findings"
say "lint: no findings"
