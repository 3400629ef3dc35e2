#!/usr/bin/env bash
# Builds the three binaries for release, into .build/release. They need no Swift runtime where they run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh
require_writable .build
for product in jobqueue-api jobqueue-worker jobqueue-reaper; do
    swift build --configuration release --static-swift-stdlib --explicit-target-dependency-import-check error \
        --product "$product"
done
