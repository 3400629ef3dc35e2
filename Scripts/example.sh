#!/usr/bin/env bash
# make example: runs thousands of jobs over the files of /usr/share/doc and compares every result with sha256sum. It
# uses the instance of `make run` in this checkout, or that of JOBQUEUE_URL with its key in API_SECRET_KEY; without
# either it starts an instance and stops it at the end.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

readonly START_SECONDS=120
LOG=.local/example.log
INSTANCE=''

# is_ready URL: whether a ready api answers at this address.
is_ready() { curl -fsk -o /dev/null --max-time 2 "$1/ready"; }

# Prints a free port: the default port, or the next free one above it.
free_port() {
    local port
    for ((port = ${API_PORT:-8000}; port < 65536; port++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
    fail "no free port above ${API_PORT:-8000}"
}

start_instance() {
    local port
    port=$(free_port)
    JOBQUEUE_URL=http://127.0.0.1:$port
    mkdir -p .local
    # Installation and build print to the terminal; the instance writes to a file.
    Scripts/deps.sh
    Scripts/build.sh
    say "starting an instance on port $port (its log: $LOG)"
    env -u DATABASE_URL -u WORKER_HANDLERS_FILE -u API_SECRET_KEY -u API_SECRET_KEY_FILE \
        API_HOST=127.0.0.1 API_PORT="$port" setsid Scripts/run.sh >"$LOG" 2>&1 </dev/null &
    INSTANCE=$!
    trap stop_instance EXIT
    local deadline=$((SECONDS + START_SECONDS))
    until is_ready "$JOBQUEUE_URL"; do
        kill -0 "$INSTANCE" 2>/dev/null || fail "the instance has ended:" "$(tail -n 20 "$LOG")"
        ((SECONDS < deadline)) || fail "the instance is not ready after $START_SECONDS s:" "$(tail -n 20 "$LOG")"
        sleep 0.1
    done
}

stop_instance() {
    kill -s TERM "$INSTANCE" 2>/dev/null || true
    wait "$INSTANCE" || true
}

Scripts/deps.sh example
require_writable .local
if [[ -z ${JOBQUEUE_URL:-} ]]; then
    JOBQUEUE_URL=http://127.0.0.1:${API_PORT:-8000}
    unset API_SECRET_KEY
    # A running `make run` of this checkout holds this lock.
    if [[ -e .local/run.lock ]] && ! flock --nonblock .local/run.lock true; then
        is_ready "$JOBQUEUE_URL" || fail "make run is running here, but not on port ${API_PORT:-8000}" \
            "Set its port: make example API_PORT=8001"
    else
        start_instance
    fi
fi
key=()
[[ -n ${API_SECRET_KEY:-} ]] || key=(--key-file .local/api-key)
python3 examples/first-steps/check_files.py --url "$JOBQUEUE_URL" "${key[@]}" "$@"
