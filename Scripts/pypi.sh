# shellcheck shell=bash
# Sourced, after prelude.sh, by the scripts that check with tools from PyPI.
set -euo pipefail

# No __pycache__ in the checkout.
export PYTHONDONTWRITEBYTECODE=1

# environment NAME PIP_ARGUMENT... : makes the virtual environment, or finds it; prints its directory. The name bears a
# hash of what is in it, so that other versions make another; `whole` in it says that no installation was interrupted.
environment() {
    local name=$1 directory
    shift
    directory=$ROOT/.local/tools/$name-$({ cat Tests/requirements.txt && echo "$*" && python3 --version; } | sha256sum | cut -c 1-12)
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
        ) 9>".local/tools/$name.lock" || fail "pip could not install ${*: -1}."
    fi
    echo "$directory"
}

# Makes or finds the environment of Tests/requirements.txt, and prints its directory.
lint_tools() {
    Scripts/deps.sh manifests >&2
    environment lint --requirement Tests/requirements.txt
}
