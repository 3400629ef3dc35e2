#!/usr/bin/env bash
# Thousands of real jobs over the files of /usr/share/doc, every result compared with sha256sum's own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/build.sh
exec examples/first-steps/run.sh "$@"
