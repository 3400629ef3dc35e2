#!/usr/bin/env bash
# Removes what was built and the private PostgreSQL with its jobs. The key of `make run` goes with them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

if [[ -n $(Scripts/postgres.sh programs) ]]; then
    Scripts/postgres.sh remove .local/postgres
fi
rm -rf .build .local
