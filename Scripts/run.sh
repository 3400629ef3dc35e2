#!/usr/bin/env bash
# make run: runs api, worker and reaper under one supervisor, on a private PostgreSQL unless DATABASE_URL is set. Ctrl-C
# or SIGTERM stops them gracefully; a second one stops running jobs at once. If one of the three ends by itself, the
# supervisor stops the others and exits with 1.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

readonly READY_SECONDS=30
# Above WORKER_SHUTDOWN_GRACE_SECONDS of the worker.
readonly STOP_SECONDS=75

declare -A PID_OF=()
PREFIXERS=()
OWN_POSTGRES=''
STOPPING=''

settings() {
    export API_HOST=${API_HOST:-127.0.0.1} API_PORT=${API_PORT:-8000} LOG_FORMAT=${LOG_FORMAT:-console}
    [[ $API_PORT =~ ^[0-9]{1,5}$ ]] || fail "API_PORT=$API_PORT is not a port number from 1 to 65535"
    ADDRESS=http://$API_HOST:$API_PORT
    [[ -z ${TLS_CERT_FILE:-} ]] || ADDRESS=https://$API_HOST:$API_PORT
    ADDRESS=${ADDRESS/\/\/0.0.0.0:///127.0.0.1:}

    mkdir -p .local
    if [[ -z ${WORKER_HANDLERS_FILE:-} && -e examples/first-steps/handlers.json ]]; then
        export WORKER_HANDLERS_FILE=$ROOT/examples/first-steps/handlers.json
        # Its webhook calls a receiver on this machine.
        export WEBHOOK_ALLOW=${WEBHOOK_ALLOW:-127.0.0.1}
    fi
    if [[ -z ${API_SECRET_KEY:-} && -z ${API_SECRET_KEY_FILE:-} ]]; then
        export API_SECRET_KEY_FILE=$ROOT/.local/api-key
        # Renamed when complete, so that an interrupted run leaves no partial key.
        if [[ ! -s $API_SECRET_KEY_FILE ]]; then
            (umask 077 && openssl rand -hex 32 >"$API_SECRET_KEY_FILE.new")
            mv "$API_SECRET_KEY_FILE.new" "$API_SECRET_KEY_FILE"
        fi
    fi
}

# One supervisor per checkout: two would stop each other's PostgreSQL.
lock_checkout() {
    exec 9>>.local/run.lock
    flock --nonblock 9 || fail "make run is already running in $ROOT" "A second one needs its own checkout."
}

require_free_port() {
    if (exec 3<>"/dev/tcp/${API_HOST/#0.0.0.0/127.0.0.1}/$API_PORT") 2>/dev/null; then
        fail "port $API_PORT of $API_HOST is in use" "Choose another: make run API_PORT=8001"
    fi
}

start_postgres() {
    OWN_POSTGRES=yes
    say "starting a private PostgreSQL in .local/postgres"
    Scripts/postgres.sh start .local/postgres 9>&-
    DATABASE_URL=$(Scripts/postgres.sh url .local/postgres)
    export DATABASE_URL
}

# start NAME COLOUR PROGRAM [ARGUMENT...]: starts the program in its own session, so that Ctrl-C reaches only the
# supervisor. The kernel stops it if the supervisor is killed. Its lines are prefixed with its name.
start() {
    local name=$1 prefix pipe both reader writer
    prefix=$(printf '%-6s |' "$1")
    [[ -z $BOLD ]] || prefix=$'\e['"$2m$prefix$PLAIN"
    shift 2
    pipe=$(mktemp -u ".local/run.XXXXXX")
    mkfifo -m 0600 "$pipe"
    # Opened read-write first, so that neither end waits for the other.
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
        ((SECONDS < deadline)) || { say "the api is not ready after $READY_SECONDS s; see $ADDRESS/ready" && return 0; }
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
        # shellcheck disable=SC2016  # not expanded: the URL may contain a password
        database='$DATABASE_URL' schema=${DATABASE_SCHEMA:-jobqueue}.
    fi
    cat <<TEXT

${BOLD}jobqueue is ready${PLAIN} at $ADDRESS
  key        ${API_SECRET_KEY_FILE:-\$API_SECRET_KEY}
  create     curl -sS -X POST $ADDRESS/api/jobs -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'
  list       curl -sS $ADDRESS/api/jobs -H "Authorization: Bearer $key"
  SQL        psql "$database" -c "SELECT count(*) FROM ${schema}jobs"
  Ctrl-C stops everything.

TEXT
}

signal_all() {
    local pid
    for pid in "${PID_OF[@]}"; do kill -s "$1" "$pid" 2>/dev/null || true; done
}

on_signal() {
    [[ -n $STOPPING ]] || say "stopping; press Ctrl-C again to stop running jobs"
    STOPPING=asked
    signal_all TERM
}

# Waits until a program ends or a signal arrives; reports an unexpected end.
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
            say "${RED}$name ended with status $status:${PLAIN} stopping the others"
            STOPPING=died
        done
    done
}

# Stops the programs, kills those that take too long, and then stops PostgreSQL.
stop_all() {
    local deadline=$((SECONDS + STOP_SECONDS)) pid
    # A further Ctrl-C ends the command that runs now, such as a sleep. That must not end this function.
    set +e
    # A second SIGTERM would end the worker's wait for its running jobs.
    [[ $STOPPING == asked ]] || signal_all TERM
    for pid in "${PID_OF[@]}"; do
        while kill -0 "$pid" 2>/dev/null; do
            ((SECONDS < deadline)) || { say "process $pid does not stop; killing it" && signal_all KILL; }
            sleep 0.05
        done
    done
    # Waits for their last lines.
    wait "${PREFIXERS[@]}" 2>/dev/null || true
    # A further Ctrl-C must not end the program that stops PostgreSQL.
    [[ -z $OWN_POSTGRES ]] || (trap '' INT TERM HUP && Scripts/postgres.sh stop .local/postgres)
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
