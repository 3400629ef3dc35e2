# shellcheck shell=bash disable=SC2034  # the scripts that source this file use its variables
# Sourced by every script here. Changes to the root of the checkout and defines the functions for output.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"

# Colours on a terminal only, and never in CI.
if [[ -t 1 && -z ${CI:-} && -z ${NO_COLOR:-} ]]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

say() { printf '%s\n' "${BOLD}==>${PLAIN} $*"; }

# fail MESSAGE...: prints one line each on stderr and exits with 1.
fail() {
    printf '%s\n' "${RED}error:${PLAIN} $1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Fails early if another user, often root, owns a directory.
require_writable() {
    local directory
    for directory in "$@"; do
        [[ ! -e $directory || -w $directory ]] ||
            fail "$ROOT/$directory belongs to $(stat -c %U "$directory"), and $(id -un) may not write there" \
                "Remove it, or continue as its owner."
    done
}
