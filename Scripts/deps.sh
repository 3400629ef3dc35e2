#!/usr/bin/env bash
# deps.sh: installs by apt what building, running and testing need beside the Swift toolchain, as far as
# it is missing (Debian, Ubuntu). deps.sh build: only what building needs, as an image's builder wants it.
# deps.sh lint, example, bench: the same for what only `make lint`, `make example` or `make bench` needs.
# Silent and quick when nothing is missing. A system PostgreSQL is neither made, started nor touched.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

# Read by Debian's postgresql-common besides createcluster.conf.
CLUSTER_SETTINGS=/etc/postgresql-common/createcluster.d

# Prints the packages that are missing, one a line. Asks for files and programs, not for packages,
# so that a PostgreSQL or OpenSSL installed in another way counts too.
missing_packages() {
    if [[ ${1:-} == lint ]]; then
        has shellcheck || echo shellcheck
        return 0
    fi
    if [[ ${1:-} == manifests ]]; then
        has python3 || echo python3
        # Debian keeps what makes virtual environments apart.
        has python3 && python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
        return 0
    fi
    if [[ ${1:-} == example ]]; then
        has python3 || echo python3
        return 0
    fi
    if [[ ${1:-} == bench ]]; then
        has python3 || echo python3
        has wrk || echo wrk
        # By itself pgbench comes with no package but the server's.
        has pgbench || echo postgresql
        return 0
    fi
    toolchain_packages
    has pkg-config || echo pkg-config
    has_library libpq /usr/include/postgresql/libpq-fe.h || echo libpq-dev
    has_library openssl /usr/include/openssl/ssl.h || echo libssl-dev
    [[ ${1:-} != build ]] || return 0
    [[ -n $("$ROOT/Scripts/postgres.sh" programs) ]] || echo postgresql
    has psql || echo postgresql-client
    has curl || echo curl
    has openssl || echo openssl
    has ps || echo procps
    # Debian's own Python, whichever comes first in PATH: a test reads the manifests by it.
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || echo python3-yaml
}

# What a Swift toolchain unpacked from its archive links with and loads. ldd costs a tenth of `swift --version`.
toolchain_packages() {
    local loaded
    loaded=$(ldd "$(dirname "$(readlink -f "$(command -v swift)")")/swift-build" 2>/dev/null) || true
    has g++ || echo g++
    [[ $loaded != *"libncurses.so.6 => not found"* ]] || echo libncurses6
    [[ $loaded != *"libsqlite3.so.0 => not found"* ]] || echo libsqlite3-0
}

# has_library PKGCONFIG_NAME HEADER
has_library() {
    if has pkg-config; then pkg-config --exists "$1"; else [[ -e $2 ]]; fi
}

# Prints the command, one word a line, that runs another as root.
become_root() {
    if ((EUID == 0)); then
        echo env
    elif has sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        printf '%s\n' sudo env
    fi
}

# Installs, and reads the package lists anew only if that failed: they may be absent or too old.
install_packages() {
    local options=(-y -q --no-install-recommends -o DPkg::Lock::Timeout=300)
    local log
    log=$(mktemp)
    "${AS_ROOT[@]}" DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" >"$log" 2>&1 </dev/null ||
        {
            "${AS_ROOT[@]}" apt-get update -q >>"$log" 2>&1 </dev/null &&
                "${AS_ROOT[@]}" DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" >>"$log" 2>&1 </dev/null
        } ||
        {
            tail -n 25 "$log" >&2
            rm -f "$log"
            fail "apt-get could not install: $*"
        }
    rm -f "$log"
}

# Debian's server package makes and starts a cluster when it is installed first. We want only its
# programs: that is switched off while we install, and the administrator's configuration left as it was.
install_postgresql() {
    install_packages postgresql-common
    "${AS_ROOT[@]}" mkdir -p "$CLUSTER_SETTINGS"
    # Removed also when the installation fails or is interrupted.
    trap 'without_main_cluster_end' EXIT
    echo 'create_main_cluster = false' | "${AS_ROOT[@]}" tee "$CLUSTER_SETTINGS/jobqueue.conf" >/dev/null
    install_packages postgresql
    without_main_cluster_end
    trap - EXIT
}

without_main_cluster_end() {
    "${AS_ROOT[@]}" rm -f "$CLUSTER_SETTINGS/jobqueue.conf"
    "${AS_ROOT[@]}" rmdir --ignore-fail-on-non-empty "$CLUSTER_SETTINGS"
}

has swift || fail "swift is not in PATH." "Install Swift 6.2 or later (https://www.swift.org/install/linux/)."

mapfile -t MISSING < <(missing_packages "$@")
((${#MISSING[@]} > 0)) || exit 0

has apt-get || fail "missing here, and this is not Debian or Ubuntu: ${MISSING[*]} (Debian's names)." \
    "Install them in your distribution's way, then try again."
mapfile -t AS_ROOT < <(become_root)
((${#AS_ROOT[@]} > 0)) || fail "missing, and $(id -un) may not install: ${MISSING[*]}" \
    "As root: apt-get install ${MISSING[*]}"

say "installing ${MISSING[*]}"
OTHERS=()
for package in "${MISSING[@]}"; do
    if [[ $package == postgresql ]]; then install_postgresql; else OTHERS+=("$package"); fi
done
((${#OTHERS[@]} == 0)) || install_packages "${OTHERS[@]}"

mapfile -t MISSING < <(missing_packages "$@")
((${#MISSING[@]} == 0)) || fail "still missing after their installation: ${MISSING[*]}"
