#!/usr/bin/env bash
# make run: api, worker and reaper under one supervisor, on a private PostgreSQL unless DATABASE_URL is
# set. Ctrl-C or SIGTERM stops all of it gracefully (a second one hurries the worker), and so does the
# unasked end of any of the three, with exit status 1.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

readonly READY_SECONDS=30
# Above the worker's own WORKER_SHUTDOWN_GRACE_SECONDS.
readonly STOP_SECONDS=75

declare -A PID_OF=()
PREFIXERS=()
OWN_POSTGRES=''
STOPPING=''

settings() {
    export API_HOST=${API_HOST:-127.0.0.1} API_PORT=${API_PORT:-8000} LOG_FORMAT=${LOG_FORMAT:-console}
    [[ $API_PORT =~ ^[0-9]{1,5}$ ]] || fail "API_PORT=$API_PORT is not a port: a number from 1 to 65535."
    ADDRESS=http://$API_HOST:$API_PORT
    [[ -z ${TLS_CERT_FILE:-} ]] || ADDRESS=https://$API_HOST:$API_PORT
    ADDRESS=${ADDRESS/\/\/0.0.0.0:///127.0.0.1:}

    mkdir -p .local
    if [[ -z ${WORKER_HANDLERS_FILE:-} && -e examples/first-steps/handlers.json ]]; then
        export WORKER_HANDLERS_FILE=$ROOT/examples/first-steps/handlers.json
        # Its webhook goes to a receiver on this machine.
        export WEBHOOK_ALLOW=${WEBHOOK_ALLOW:-127.0.0.1}
    fi
    if [[ -z ${API_SECRET_KEY:-} && -z ${API_SECRET_KEY_FILE:-} ]]; then
        export API_SECRET_KEY_FILE=$ROOT/.local/api-key
        # Written whole or not at all: an interrupted run leaves no half key.
        if [[ ! -s $API_SECRET_KEY_FILE ]]; then
            (umask 077 && openssl rand -hex 32 >"$API_SECRET_KEY_FILE.new")
            mv "$API_SECRET_KEY_FILE.new" "$API_SECRET_KEY_FILE"
        fi
    fi
}

# One supervisor a checkout: two would stop each other's PostgreSQL.
lock_checkout() {
    exec 9>>.local/run.lock
    flock --nonblock 9 || fail "make run already runs in $ROOT." "A second one needs a checkout of its own."
}

require_free_port() {
    if (exec 3<>"/dev/tcp/${API_HOST/#0.0.0.0/127.0.0.1}/$API_PORT") 2>/dev/null; then
        fail "port $API_PORT of $API_HOST is taken by another program." "Choose another: make run API_PORT=8001"
    fi
}

start_postgres() {
    OWN_POSTGRES=yes
    say "starting a private PostgreSQL in .local/postgres"
    Scripts/postgres.sh start .local/postgres 9>&-
    DATABASE_URL=$(Scripts/postgres.sh url .local/postgres)
    export DATABASE_URL
}

# start NAME COLOUR PROGRAM [ARGUMENT...]: in a session of its own, so that Ctrl-C reaches only the
# supervisor; stopped by the kernel if the supervisor is killed. Its lines are prefixed by its name.
start() {
    local name=$1 prefix pipe both reader writer
    prefix=$(printf '%-6s |' "$1")
    [[ -z $BOLD ]] || prefix=$'\e['"$2m$prefix$PLAIN"
    shift 2
    pipe=$(mktemp -u ".local/run.XXXXXX")
    mkfifo -m 0600 "$pipe"
    # Opened for both first, so that neither end waits for the other.
    # shellcheck disable=SC2094
    exec {both}<>"$pipe" {reader}<"$pipe" {writer}>"$pipe" {both}>&-
    rm -f "$pipe"
    (trap '' INT TERM HUP && exec sed -u "s/^/$prefix /" <&"$reader" {reader}<&- {writer}>&- 9>&-) &
    PREFIXERS+=($!)
    setsid setpriv --pdeathsig TERM -- "$@" </dev/null >&"$writer" 2>&1 {reader}<&- {writer}>&- 9>&- &
    PID_OF[$name]=$!
    exec {reader}<&- {writer}>&-
}

wait_until_ready() {
    local deadline=$((SECONDS + READY_SECONDS))
    until curl -fsk -o /dev/null --max-time 2 "$ADDRESS/ready"; do
        [[ -z $STOPPING ]] || return 0
        all_alive || return 0
        ((SECONDS < deadline)) || { say "the api is not ready after $READY_SECONDS s: see $ADDRESS/ready" && return 0; }
        sleep 0.1
    done
    welcome
}

all_alive() {
    local pid
    for pid in "${PID_OF[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}

welcome() {
    local key database schema=''
    if [[ -n ${API_SECRET_KEY:-} ]]; then
        key=$API_SECRET_KEY
    else
        key="\$(cat ${API_SECRET_KEY_FILE@Q})"
    fi
    if [[ -n $OWN_POSTGRES ]]; then
        database=$DATABASE_URL
    else
        # shellcheck disable=SC2016  # shown as it is: a password belongs on no screen
        database='$DATABASE_URL' schema=${DATABASE_SCHEMA:-jobqueue}.
    fi
    cat <<TEXT

${BOLD}jobqueue is ready${PLAIN} at $ADDRESS
  the key    ${API_SECRET_KEY_FILE:-\$API_SECRET_KEY}
  a job      curl -sS -X POST $ADDRESS/api/jobs -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'
  all jobs   curl -sS $ADDRESS/api/jobs -H "Authorization: Bearer $key"
  by SQL     psql "$database" -c "SELECT count(*) FROM ${schema}jobs"
  Ctrl-C stops everything.

TEXT
}

signal_all() {
    local pid
    for pid in "${PID_OF[@]}"; do kill -s "$1" "$pid" 2>/dev/null || true; done
}

on_signal() {
    [[ -n $STOPPING ]] || say "stopping (again: do not wait for running jobs)"
    STOPPING=asked
    signal_all TERM
}

# Waits until one of the three has ended, or a signal has come; reports an end that nobody asked for.
watch() {
    local ended status name
    while ((${#PID_OF[@]} > 0)) && [[ -z $STOPPING ]]; do
        status=0 ended=''
        wait -n -p ended "${PID_OF[@]}" 2>/dev/null || status=$?
        [[ -n ${ended:-} ]] || continue
        for name in "${!PID_OF[@]}"; do
            [[ ${PID_OF[$name]} == "$ended" ]] || continue
            unset "PID_OF[$name]"
            [[ -z $STOPPING ]] || continue
            say "${RED}the $name has ended, status $status:${PLAIN} stopping the others"
            STOPPING=died
        done
    done
}

# Ends what still runs: asked first, killed when it takes too long. Then PostgreSQL, once nobody needs it.
stop_all() {
    local deadline=$((SECONDS + STOP_SECONDS)) pid
    # A second SIGTERM would cut the worker's wait for its running jobs short.
    [[ $STOPPING == asked ]] || signal_all TERM
    for pid in "${PID_OF[@]}"; do
        while kill -0 "$pid" 2>/dev/null; do
            ((SECONDS < deadline)) || { say "$pid does not stop: killing it" && signal_all KILL; }
            sleep 0.05
        done
    done
    # Their last lines.
    wait "${PREFIXERS[@]}" 2>/dev/null || true
    [[ -z $OWN_POSTGRES ]] || Scripts/postgres.sh stop .local/postgres
    say "stopped"
}

require_writable .local
Scripts/deps.sh
settings
lock_checkout
require_free_port
Scripts/build.sh

trap on_signal INT TERM HUP
trap stop_all EXIT
[[ -n ${DATABASE_URL:-} ]] || start_postgres
bin=$ROOT/.build/release
[[ -n $STOPPING ]] || "$bin/jobqueue-api" migrate
if [[ -z $STOPPING ]]; then
    start api 36 "$bin/jobqueue-api"
    start worker 33 "$bin/jobqueue-worker"
    start reaper 35 "$bin/jobqueue-reaper"
    wait_until_ready
fi
watch
[[ $STOPPING != died ]]
