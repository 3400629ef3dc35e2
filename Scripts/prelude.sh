# shellcheck shell=bash disable=SC2034  # what is set here is used by the scripts that source it
# Sourced by every script here: the checkout as working directory, and the ways to say something.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"

# Colours only where a person looks, and never in CI.
if [[ -t 1 && -z ${CI:-} && -z ${NO_COLOR:-} ]]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

say() { printf '%s\n' "${BOLD}==>${PLAIN} $*"; }

# fail MESSAGE... : one line each, on stderr, then exit 1.
fail() {
    printf '%s\n' "${RED}error:${PLAIN} $1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# A directory that another user made (often root, before a plain user's turn) fails late and unclearly.
require_writable() {
    local directory
    for directory in "$@"; do
        [[ ! -e $directory || -w $directory ]] ||
            fail "$ROOT/$directory belongs to $(stat -c %U "$directory"), and $(id -un) may not write there." \
                "Remove it, or go on as the user who made it."
    done
}
