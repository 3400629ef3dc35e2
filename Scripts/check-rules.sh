#!/usr/bin/env bash
# Checks the Prometheus rules of k8s/monitoring, runs their tests in Tests/Monitoring, and checks rules and dashboard
# against the documents with Tests/Monitoring/check.py. Exits with 1 on any finding.
# If promtool is not installed, it is extracted from Debian's package `prometheus` into .local/tools; installing the
# package would start a Prometheus.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
source "$ROOT/Scripts/pypi.sh"

readonly TOOL=.local/tools/promtool

# Installs nothing, so any user may run it; only a refresh of the package lists needs root.
fetch_promtool() {
    local work
    has apt-get || fail "promtool is missing, and this system is not Debian or Ubuntu" \
        "Install promtool of Prometheus 2.42 or later into a directory of PATH, and try again."
    require_writable .local .local/tools
    say "extracting promtool from the package prometheus"
    mkdir -p "$(dirname "$TOOL")"
    work=$(mktemp -d "$(dirname "$TOOL")/fetch.XXXXXX")
    # shellcheck disable=SC2064  # expands now
    trap "rm -rf '$work'" EXIT
    download_package "$work" prometheus
    dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
    # Moved into place when complete, so that concurrent runs do not interfere.
    mv "$work/usr/bin/promtool" "$TOOL"
    rm -rf "$work"
    trap - EXIT
}

# download_package DIRECTORY NAME: downloads with apt, which verifies the hash against the signed lists.
download_package() (
    cd "$1"
    # As root, apt downloads as another user, which may not be allowed to write here.
    options=(-q)
    ((EUID != 0)) || options+=(-o APT::Sandbox::User=root)
    apt-get "${options[@]}" download "$2" >log 2>&1 </dev/null && exit 0
    # The package lists may be absent or too old.
    if ((EUID == 0)); then
        apt-get -q update
    elif has sudo; then
        sudo -n apt-get -q update
    fi >>log 2>&1 </dev/null || true
    apt-get "${options[@]}" download "$2" >>log 2>&1 </dev/null && exit 0
    tail -n 10 log >&2
    fail "apt-get could not download the package $2" \
        "Refresh the package lists as root: apt-get update" \
        "Or install promtool into a directory of PATH."
)

promtool=$(command -v promtool) || promtool=$ROOT/$TOOL
[[ -x $promtool ]] || fetch_promtool

# promtool needs the content of `spec`, which is therefore the last key of the manifest.
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT
cp Tests/Monitoring/*.yaml "$bench"
tests=("$bench"/*.yaml)
sed -n '/^spec:$/,$ { /^spec:$/d; s/^  //; p }' k8s/monitoring/prometheus-rules.yaml >"$bench/rules.yaml"

if ! log=$("$promtool" check rules --lint=all --lint-fatal "$bench/rules.yaml" 2>&1); then
    fail "k8s/monitoring/prometheus-rules.yaml has errors; lines are counted from its spec" "$log"
fi
# promtool accepts a file without rules.
[[ $log =~ \ [1-9][0-9]*\ rules\ found ]] || fail "promtool found no rules in k8s/monitoring/prometheus-rules.yaml" "$log"
log=$("$promtool" test rules "${tests[@]}" 2>&1) || fail "the tests in Tests/Monitoring failed" "$log"

tools=$(lint_tools)
"$tools/bin/python" -m unittest discover --quiet --start-directory Tests/Monitoring --pattern '*_test.py'
"$tools/bin/python" Tests/Monitoring/check.py || fail "the rules or the dashboard have errors"
say "rules: all tests passed"
