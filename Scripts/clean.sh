#!/usr/bin/env bash
# Removes the build, and the private PostgreSQL with its jobs and the key of `make run`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

if [[ -n $(Scripts/postgres.sh programs) ]]; then
    Scripts/postgres.sh remove .local/postgres
fi
rm -rf .build .local
