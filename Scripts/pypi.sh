# shellcheck shell=bash
# Sourced after prelude.sh by the scripts that use tools from PyPI.
set -euo pipefail

# Python writes no __pycache__ into the checkout.
export PYTHONDONTWRITEBYTECODE=1

# environment NAME PIP_ARGUMENT...: creates the virtual environment unless it exists, and prints its directory. The name
# contains a hash of the versions, so that new versions get a new one. The file `whole` marks a complete installation.
environment() {
    local name=$1 hash directory
    shift
    hash=$({ cat Tests/requirements.txt && echo "$*" && python3 --version; } | sha256sum | cut -c 1-12)
    directory=$ROOT/.local/tools/$name-$hash
    if [[ ! -e $directory/whole ]]; then
        say "installing ${*: -1} from PyPI into .local/tools" >&2
        require_writable .local .local/tools
        mkdir -p .local/tools
        (
            flock 9
            [[ ! -e $directory/whole ]] || exit 0
            rm -rf "$directory"
            python3 -m venv "$directory" >&2 &&
                "$directory/bin/pip" install --quiet --disable-pip-version-check "$@" >&2 &&
                touch "$directory/whole"
        ) 9>".local/tools/$name.lock" || fail "pip could not install ${*: -1}"
    fi
    echo "$directory"
}

# Creates the environment of Tests/requirements.txt unless it exists, and prints its directory.
lint_tools() {
    Scripts/deps.sh manifests >&2
    environment lint --requirement Tests/requirements.txt
}
