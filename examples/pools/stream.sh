#!/usr/bin/env bash
# A workload that runs forever: it appends a line to its file each second, and another when it stops.
set -euo pipefail

file=${STREAM_DIRECTORY:-/tmp}/${JOBQUEUE_WORKLOAD//[^A-Za-z0-9._-]/_}.log
note() { printf '%(%T)T member %s, lease %s: %s\n' -1 "$JOBQUEUE_ORDINAL" "$JOBQUEUE_LEASE_TOKEN" "$1" >>"$file"; }

trap 'note "stopped"; exit 0' TERM
note "started"
while true; do
    # In the background, because a shell handles signals only between commands.
    sleep 1 &
    wait $!
    note "running"
done
