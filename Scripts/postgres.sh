#!/usr/bin/env bash
# postgres.sh start|stop|remove|status|socket|url DIRECTORY: a private PostgreSQL that listens on a unix socket only.
# postgres.sh programs: prints the directory of the programs of the newest PostgreSQL, or nothing.
#
# PostgreSQL refuses to run as root, so root runs it as the package's user `postgres`, or as `nobody`. If that user
# cannot reach DIRECTORY (for example in root's home), it is put under /var/tmp. The path of a unix socket has at most
# 107 bytes: a longer one is replaced by a short directory under /tmp. Both replacements contain a hash of DIRECTORY, so
# that checkouts do not interfere.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

readonly SOCKET_NAME=.s.PGSQL.5432
readonly START_SECONDS=60

programs() {
    local newest
    newest=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || true
    if [[ -n $newest ]]; then
        dirname "$newest"
    elif has initdb && has postgres; then
        dirname "$(readlink -f "$(command -v initdb)")"
    fi
}

# Prints the user of the server: the owner of the data directory, otherwise by the rule above.
server_user() {
    if ((EUID != 0)); then
        id -un
    elif [[ -d $1/data && $(stat -c %u "$1/data") != 0 ]]; then
        stat -c %U "$1/data"
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# Runs a command as the user of the server, in a directory that any user can enter.
as_server() (
    cd /
    if ((EUID == 0)); then
        exec setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --clear-groups -- "$@"
    fi
    exec "$@"
)

hash_of() { printf %s "$1" | sha256sum | cut -c 1-12; }

# Creates a directory that only the user of the server can access. Refuses a link or another owner, since the path is
# predictable.
make_private() {
    mkdir -p "$1"
    [[ ! -L $1 ]] || fail "$1 is a symbolic link, which PostgreSQL would follow"
    if ((EUID == 0)) && [[ $(stat -c %u "$1") == 0 ]]; then chown "$SERVER_USER:" "$1"; fi
    [[ $(stat -c %U "$1") == "$SERVER_USER" ]] ||
        fail "$1 belongs to $(stat -c %U "$1"), not to $SERVER_USER, the user of PostgreSQL" "Remove it, and try again."
    chmod 0700 "$1"
}

# Sets HOME_DIRECTORY (data, log) and SOCKET_DIRECTORY for DIRECTORY.
locate() {
    local asked=$1 reachable
    SERVER_USER=$(server_user "$asked")
    HOME_DIRECTORY=$asked
    reachable=$(dirname "$asked")
    while [[ ! -d $reachable ]]; do reachable=$(dirname "$reachable"); done
    if ! as_server test -x "$reachable"; then
        HOME_DIRECTORY=/var/tmp/jobqueue-$(hash_of "$asked")
        SERVER_USER=$(server_user "$HOME_DIRECTORY")
    fi
    SOCKET_DIRECTORY=$HOME_DIRECTORY/socket
    # Also if the path would need quoting in PostgreSQL's settings or in a URL.
    if ((${#SOCKET_DIRECTORY} + 1 + ${#SOCKET_NAME} > 107)) || [[ ! $SOCKET_DIRECTORY =~ ^[A-Za-z0-9/._-]+$ ]]; then
        SOCKET_DIRECTORY=/tmp/jobqueue-$(hash_of "$asked")
    fi
    DATA=$HOME_DIRECTORY/data
}

# True while a process of this server is alive. Each has the data directory as its working directory; a process id in a
# file could belong to another program after a reboot.
is_running() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/cwd" 2>/dev/null) != "$DATA" ]] || return 0
    done
    return 1
}

accepts() { as_server "$PROGRAMS/pg_isready" -q -h "$SOCKET_DIRECTORY" -p 5432; }

write_settings() {
    # Durable by the defaults of PostgreSQL (fsync, synchronous_commit, full_page_writes).
    as_server tee "$DATA/jobqueue.conf" >/dev/null <<SETTINGS
listen_addresses = ''
unix_socket_directories = '$SOCKET_DIRECTORY'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
wal_compression = on
log_line_prefix = '%m [%p] '
SETTINGS
}

# Renames the data directory into place when it is complete, so that an interrupted initdb leaves none.
initialize() {
    local fresh=$HOME_DIRECTORY/data.new output
    as_server rm -rf "$fresh"
    output=$(as_server "$PROGRAMS/initdb" --pgdata="$fresh" --username=postgres --auth-local=trust \
        --auth-host=reject --encoding=UTF8 --locale=C.UTF-8 --no-instructions 2>&1) ||
        fail "initdb failed:" "$(tail -n 5 <<<"$output")"
    echo "include 'jobqueue.conf'" | as_server tee -a "$fresh/postgresql.conf" >/dev/null
    as_server mv "$fresh" "$DATA"
}

# The role that owns the database is not a superuser; a metric needs to see all sessions.
prepare_database() {
    local psql=("$PROGRAMS/psql" -qXAt -v ON_ERROR_STOP=1 -h "$SOCKET_DIRECTORY" -U postgres)
    as_server "${psql[@]}" -d postgres <<'SQL'
SET client_min_messages = warning;
SELECT 'CREATE ROLE jobqueue LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobqueue') \gexec
GRANT pg_monitor TO jobqueue;
SELECT 'CREATE DATABASE jobqueue OWNER jobqueue'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'jobqueue') \gexec
SQL
    as_server "${psql[@]}" -d postgres -v "schema=${DATABASE_SCHEMA:-jobqueue}" <<'SQL'
ALTER DATABASE jobqueue SET search_path = :"schema", public;
SQL
}

start() {
    wait_for_running
    is_running || launch
    prepare_database
}

launch() {
    make_private "$HOME_DIRECTORY"
    make_private "$SOCKET_DIRECTORY"
    [[ -d $DATA ]] || initialize
    require_same_version
    write_settings
    # No server runs here, so these files of a crash are stale.
    rm -f "$DATA/postmaster.pid" "$SOCKET_DIRECTORY/$SOCKET_NAME" "$SOCKET_DIRECTORY/$SOCKET_NAME.lock"
    as_server "$PROGRAMS/pg_ctl" start -D "$DATA" -l "$HOME_DIRECTORY/log" -w -t "$START_SECONDS" >/dev/null 2>&1 ||
        fail "PostgreSQL did not start within $START_SECONDS s; the end of $HOME_DIRECTORY/log:" \
            "$(tail -n 8 "$HOME_DIRECTORY/log" 2>/dev/null)"
}

# A starting server accepts connections soon; orphans of a killed one end soon.
wait_for_running() {
    local deadline=$((SECONDS + START_SECONDS))
    while is_running && ! accepts; do
        ((SECONDS < deadline)) || fail "PostgreSQL in $HOME_DIRECTORY runs, but accepts no connections"
        sleep 0.1
    done
}

require_same_version() {
    local version
    version=$(<"$DATA/PG_VERSION")
    [[ $("$PROGRAMS/postgres" --version) == *" $version"[.\ ]* ]] ||
        fail "$DATA was created by PostgreSQL $version, and $PROGRAMS has another version" \
            "Remove $HOME_DIRECTORY to start again; its jobs are lost."
}

stop() {
    is_running || return 0
    as_server "$PROGRAMS/pg_ctl" stop -D "$DATA" -m fast -w -t "$START_SECONDS" >/dev/null ||
        fail "PostgreSQL in $HOME_DIRECTORY did not stop within $START_SECONDS s"
}

# Removes the data too.
remove() {
    stop
    rm -rf "$HOME_DIRECTORY" "$SOCKET_DIRECTORY"
}

status() {
    if is_running && accepts; then
        echo "running, socket in $SOCKET_DIRECTORY"
    else
        echo "stopped, data in $DATA"
        return 3
    fi
}

usage() { fail "usage: postgres.sh start|stop|remove|status|socket|url DIRECTORY, or postgres.sh programs"; }

PROGRAMS=$(programs)
[[ ${1:-} != programs ]] || { echo "$PROGRAMS" && exit 0; }
(($# == 2)) || usage
[[ -n $PROGRAMS ]] || fail "the programs of PostgreSQL are not installed" "make deps installs them."
locate "$(readlink -m "$2")"
case $1 in
    start) start ;;
    stop) stop ;;
    remove) remove ;;
    status) status ;;
    socket) echo "$SOCKET_DIRECTORY" ;;
    url) echo "postgresql://jobqueue@/jobqueue?host=$SOCKET_DIRECTORY" ;;
    *) usage ;;
esac
