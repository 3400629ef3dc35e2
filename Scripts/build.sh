#!/usr/bin/env bash
# build.sh [PRODUCT...]: builds these products for release, by default the three binaries, into .build/release.
# They need no Swift runtime where they run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh build
require_writable .build
(($# > 0)) || set -- jobqueue-api jobqueue-worker jobqueue-reaper
for product in "$@"; do
    swift build --configuration release --static-swift-stdlib --explicit-target-dependency-import-check error \
        --product "$product"
done
