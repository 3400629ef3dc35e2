#!/usr/bin/env bash
# Builds the tests and runs those that need neither a PostgreSQL server nor one of our programs; the others are cancelled
# where they ask TestKit for one. FILTER=regex runs only those of them that match.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export JOBQUEUE_UNIT_TESTS=1
exec Scripts/test.sh
