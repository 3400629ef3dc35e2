#!/usr/bin/env bash
# build.sh [PRODUCT...]: builds these products, by default the three programs, for release into .build/release. They
# need no Swift runtime on the target machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh build
require_writable .build
(($# > 0)) || set -- jobqueue-api jobqueue-worker jobqueue-reaper
# A first build is long, and mostly silent where there is no terminal.
[[ -e .build/release.yaml || -n ${CI:-} ]] || say "building: two to five minutes the first time"
for product in "$@"; do
    swift build --configuration release --static-swift-stdlib --explicit-target-dependency-import-check error \
        --product "$product"
done
