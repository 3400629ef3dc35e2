#!/usr/bin/env bash
# deps.sh: installs with apt the missing packages that build, run and test need besides the Swift toolchain (Debian,
# Ubuntu). deps.sh build: only those of the build, for the builder of an image. deps.sh lint, manifests, example, bench:
# those of `make lint`, `make example` or `make bench`. Silent and quick if nothing is missing. It creates and starts no
# system PostgreSQL.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

# Debian's postgresql-common reads it in addition to createcluster.conf.
CLUSTER_SETTINGS=/etc/postgresql-common/createcluster.d

# Prints the missing packages, one per line. Checks files and programs, not packages, so that a PostgreSQL or OpenSSL
# installed in another way counts too.
missing_packages() {
    if [[ ${1:-} == lint ]]; then
        has shellcheck || echo shellcheck
        return 0
    fi
    if [[ ${1:-} == manifests ]]; then
        has python3 || echo python3
        # Debian has a separate package for virtual environments.
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
        # Only the package of the server contains pgbench.
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
    # Debian's place of it is not in the PATH of every user.
    has pgbouncer || [[ -x /usr/sbin/pgbouncer ]] || echo pgbouncer
    # For Debian's Python, whichever python3 is first in PATH: a test reads the manifests with it.
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || echo python3-yaml
}

# Packages that a Swift toolchain from an archive links with and loads. ldd is ten times faster than `swift --version`.
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

# Prints the command that runs another as root, one word per line.
become_root() {
    if ((EUID == 0)); then
        echo env
    elif has sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        printf '%s\n' sudo env
    fi
}

# Installs packages. If that fails, refreshes the package lists, which may be missing or outdated, and tries again.
install_packages() {
    local install=(apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300)
    local log
    log=$(mktemp)
    "${AS_ROOT[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@" >"$log" 2>&1 </dev/null ||
        {
            "${AS_ROOT[@]}" apt-get update -q >>"$log" 2>&1 </dev/null &&
                "${AS_ROOT[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@" >>"$log" 2>&1 </dev/null
        } ||
        {
            tail -n 25 "$log" >&2
            rm -f "$log"
            fail "apt-get could not install: $*"
        }
    rm -f "$log"
}

# Debian's server package creates and starts a cluster at its first installation. Only its programs are needed: this
# disables the cluster during the installation and then restores the administrator's configuration.
install_postgresql() {
    install_packages postgresql-common
    "${AS_ROOT[@]}" mkdir -p "$CLUSTER_SETTINGS"
    # Also if the installation fails or is interrupted.
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

# Debian's package starts a service. Only the program is needed.
install_pgbouncer() {
    install_packages pgbouncer
    if has systemctl && [[ -d /run/systemd/system ]]; then
        "${AS_ROOT[@]}" systemctl --quiet disable --now pgbouncer || true
    fi
}

has swift || fail "swift is not in PATH" "Install Swift 6.2 or later (https://www.swift.org/install/linux/)."

mapfile -t MISSING < <(missing_packages "$@")
((${#MISSING[@]} > 0)) || exit 0

has apt-get || fail "missing packages (Debian's names): ${MISSING[*]}; this system is not Debian or Ubuntu" \
    "Install them with your distribution's package manager, and try again."
mapfile -t AS_ROOT < <(become_root)
((${#AS_ROOT[@]} > 0)) || fail "missing packages, and $(id -un) may not install them: ${MISSING[*]}" \
    "As root: apt-get install ${MISSING[*]}"

say "installing ${MISSING[*]}"
OTHERS=()
for package in "${MISSING[@]}"; do
    case $package in
    postgresql) install_postgresql ;;
    pgbouncer) install_pgbouncer ;;
    *) OTHERS+=("$package") ;;
    esac
done
((${#OTHERS[@]} == 0)) || install_packages "${OTHERS[@]}"

mapfile -t MISSING < <(missing_packages "$@")
((${#MISSING[@]} == 0)) || fail "still missing after the installation: ${MISSING[*]}"
