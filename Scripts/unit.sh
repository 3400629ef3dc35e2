#!/usr/bin/env bash
# Builds the tests, and runs those that need neither PostgreSQL nor one of our programs, or those of them that match
# FILTER=regex. The other tests are cancelled when they ask TestKit for one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

export JOBQUEUE_UNIT_TESTS=1
exec Scripts/test.sh
