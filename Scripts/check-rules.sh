#!/usr/bin/env bash
# Checks the rules of k8s/monitoring for Prometheus with promtool, runs their tests (Tests/Monitoring), and checks rules
# and dashboard against the documents (Tests/Monitoring/check.py). Exits 1 on any finding. Where promtool is not installed it is taken out of Debian's package
# `prometheus` into .local/tools: to install that would start a Prometheus.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"
source "$ROOT/Scripts/pypi.sh"

readonly TOOL=.local/tools/promtool

# Nothing is installed, so any user may do this; only reading the package lists anew takes root.
fetch_promtool() {
    local work
    has apt-get || fail "promtool is missing, and this is not Debian or Ubuntu." \
        "Install the promtool of Prometheus 2.42 or later into a directory of PATH, then try again."
    require_writable .local .local/tools
    say "taking promtool out of the package prometheus"
    mkdir -p "$(dirname "$TOOL")"
    work=$(mktemp -d "$(dirname "$TOOL")/fetch.XXXXXX")
    # shellcheck disable=SC2064  # the directory of now
    trap "rm -rf '$work'" EXIT
    download_package "$work" prometheus
    dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
    # Put in its place whole: two runs at once take nothing from each other.
    mv "$work/usr/bin/promtool" "$TOOL"
    rm -rf "$work"
    trap - EXIT
}

# download_package DIRECTORY NAME: by apt, which compares its hash with that of the signed lists.
download_package() (
    cd "$1"
    # As root apt downloads by a user of its own, who may not write everywhere.
    options=(-q)
    ((EUID != 0)) || options+=(-o APT::Sandbox::User=root)
    apt-get "${options[@]}" download "$2" >log 2>&1 </dev/null && exit 0
    # The package lists may be absent or too old.
    if ((EUID == 0)); then apt-get -q update; elif has sudo; then sudo -n apt-get -q update; fi >>log 2>&1 </dev/null || true
    apt-get "${options[@]}" download "$2" >>log 2>&1 </dev/null && exit 0
    tail -n 10 log >&2
    fail "apt-get could not download the package $2." \
        "Are its lists there? As root: apt-get update" \
        "Or install promtool into a directory of PATH."
)

promtool=$(command -v promtool) || promtool=$ROOT/$TOOL
[[ -x $promtool ]] || fetch_promtool

# promtool reads what stands under `spec` of the manifest, which therefore comes last in it.
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT
cp Tests/Monitoring/*.yaml "$bench"
tests=("$bench"/*.yaml)
sed -n '/^spec:$/,$ { /^spec:$/d; s/^  //; p }' k8s/monitoring/prometheus-rules.yaml >"$bench/rules.yaml"

if ! log=$("$promtool" check rules --lint=all --lint-fatal "$bench/rules.yaml" 2>&1); then
    fail "k8s/monitoring/prometheus-rules.yaml is not sound; lines count from its spec on." "$log"
fi
# A file without a single rule is sound to promtool.
[[ $log =~ \ [1-9][0-9]*\ rules\ found ]] || fail "promtool found no rules in k8s/monitoring/prometheus-rules.yaml." "$log"
log=$("$promtool" test rules "${tests[@]}" 2>&1) || fail "the rules do not do what Tests/Monitoring says." "$log"
say "rules: each alert fires and keeps silent as its tests say."

tools=$(lint_tools)
"$tools/bin/python" -m unittest discover --quiet --start-directory Tests/Monitoring --pattern '*_test.py'
"$tools/bin/python" Tests/Monitoring/check.py || fail "the rules or the dashboard have faults."
