#!/usr/bin/env bash
# Mutation tests: removes one guard at a time in a copy of the committed sources and runs the tests of the modules Jobs,
# Pauses and Pools. A test must fail each time; a mutant that survives shows an untested guard. ONLY=text runs the
# mutants whose name contains it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prelude.sh"

Scripts/deps.sh
require_writable .build
copy=$PWD/.build/mutants
if [[ ! -e $copy/.git ]]; then
    git worktree prune
    git worktree add --quiet --detach "$copy" HEAD
fi
git -C "$copy" checkout --quiet --force --detach "$(git rev-parse HEAD)"

# shellcheck disable=SC2016
# name | file | text to replace, everywhere in the file | replacement
mutants=(
    'a finish ignores the token | Sources/Capabilities/Jobs/Run/FinishJobs.swift | AND l.token = g.token | '
    'a renewal ignores the token | Sources/Capabilities/Jobs/Run/RenewLeases.swift | AND l.token = g.token | '
    'a reclaim takes leases that have not expired | Sources/Capabilities/Jobs/Maintain/ReclaimLeases.swift | AND expires_at < (SELECT at FROM moment) | '
    'a reclaim waits for rows that are locked | Sources/Capabilities/Jobs/Maintain/ReclaimLeases.swift | LIMIT $1 FOR UPDATE SKIP LOCKED | LIMIT $1 FOR UPDATE'
    'a lease waits for rows that are locked | Sources/Capabilities/Jobs/Run/LeaseJobs.swift | FOR UPDATE SKIP LOCKED | FOR UPDATE'
    'a lease locks no row | Sources/Capabilities/Jobs/Run/LeaseJobs.swift | FOR UPDATE SKIP LOCKED | '
    'a finish takes leases that are locked for free ones | Sources/Capabilities/Jobs/Run/FinishJobs.swift | FOR UPDATE SKIP LOCKED | '
    'a renewal waits for locked leases | Sources/Capabilities/Jobs/Run/RenewLeases.swift | FOR NO KEY UPDATE SKIP LOCKED | '
    'a progress report waits for locked rows | Sources/Capabilities/Jobs/Run/ReportProgress.swift | FOR NO KEY UPDATE SKIP LOCKED | '
    'retention waits for the holder of a unique key | Sources/Capabilities/Jobs/Maintain/RemoveJobs.swift | WHERE id = d.id FOR UPDATE SKIP LOCKED | WHERE id = d.id FOR UPDATE'
    'a statement waits for locks as long as it may run | Sources/Protocols/Postgres/ConnectionPool/ConnectionPool.swift | lockTimeout = Duration.milliseconds(50) | lockTimeout = Duration.seconds(60)'
    'the token does not grow | Sources/Capabilities/Jobs/Maintain/TokenEpoch.swift | + nextval('"'lease_token'"') | + 1'
    'the unrestricted lease ignores the priority of restricted subqueues | Sources/Capabilities/Jobs/Run/LeaseJobs.swift | AND f.priority < COALESCE((SELECT priority FROM others), 32768) | '
    'a lease takes paused jobs | Migrations/0008_fairness.sql | FROM leasable_subqueue | FROM subqueue'
    'a pause does not wait for leases | Migrations/0010_pauses.sql | LOCK TABLE lease_gate IN EXCLUSIVE MODE; | '
    'a lease passes the gate | Sources/Capabilities/Jobs/Run/PauseGate.swift | NOT EXISTS (SELECT FROM lease_gate FOR KEY SHARE) | true'
    'a creation uses a retired subqueue | Sources/Capabilities/Jobs/Create/CreationLock.swift | AND b.retired_at IS NULL) | )'
    'a creation of one type uses a retired subqueue | Sources/Capabilities/Jobs/Create/InsertStatements.swift | WHERE id = $3 AND retired_at IS NULL | WHERE id = $3'
    'a pooler in transaction mode is used | Sources/Protocols/Postgres/Session/PoolerCheck.swift | guard one != two, !changed else | guard true else'
    'a removal does not wait for creations | Sources/Capabilities/Jobs/Create/CreationLock.swift | while !pending.isEmpty { | while false {'
    'enqueue does not take the creation lock | Migrations/0009_enqueue.sql | LOCK TABLE job IN ROW EXCLUSIVE MODE; | '
    'limits are decided without a lock | Migrations/0008_fairness.sql | PERFORM pg_advisory_xact_lock | PERFORM abs'
    'a key has no limit | Migrations/0008_fairness.sql | limited.max_running_per_key IS NOT NULL | false'
    'a snooze spends an attempt | Sources/Capabilities/Jobs/Run/FinishJobs.swift | attempt - (transition = '"'snoozed'"')::int | attempt'
    'a member acquires a workload that it does not own | Sources/Capabilities/Pools/AcquireWorkloads.swift | AND w.owner = $2 AND NOT w.removed | '
    'a member acquires a workload that another holds | Sources/Capabilities/Pools/AcquireWorkloads.swift | OR w.expires_at < clock_timestamp()) | OR true)'
    'a worker without a membership acquires workloads | Sources/Capabilities/Pools/AcquireWorkloads.swift | AND m.expires_at > clock_timestamp() | '
    'a release ignores the token | Sources/Capabilities/Pools/ReleaseWorkloads.swift | AND w.token = g.token | '
    'a renewal of workloads ignores the token | Sources/Capabilities/Pools/RenewWorkloads.swift | AND w.token = g.token | '
    'a report ignores the token | Sources/Capabilities/Pools/ReportWorkloads.swift | AND w.token = g.token | '
    'an ordinal is taken from a live member | Sources/Capabilities/Pools/JoinPool.swift | OR m.expires_at < clock_timestamp() | OR true'
    'a leaving member releases the membership of another | Sources/Capabilities/Pools/JoinPool.swift | AND incarnation = $3 RETURNING | RETURNING'
    'two reapers rebalance at the same time | Sources/Capabilities/Pools/RebalancePools.swift | FOR NO KEY UPDATE SKIP LOCKED | '
    'the token of workloads does not grow | Sources/Capabilities/Pools/AcquireWorkloads.swift | next_token('"'pool_token'"') | 1::bigint'
    'a dead worker keeps its leases | Sources/Capabilities/Jobs/Maintain/ReclaimLeases.swift | AND w.deregistered_at IS NOT NULL) | AND false)'
    'leases that outlive their worker are taken over | Sources/Capabilities/Jobs/Maintain/ReclaimLeases.swift | AND (q.keeps_leases OR handles_type(w.kept_types, t.name)) | AND false'
    'a promotion begins no epoch of tokens | Migrations/0002_jobs.sql | WHERE timeline = wal_timeline()); | );'
    'crashes do not count as attempts | Sources/Capabilities/Jobs/Maintain/ReclaimLeases.swift | e.attempt >= COALESCE(j.max_attempts, 0) | false'
)

survivors=0
for mutant in "${mutants[@]}"; do
    IFS='|' read -r name file text replacement <<<"$mutant"
    name=$(xargs <<<"$name") file=$(xargs <<<"$file")
    text=${text# } text=${text% } replacement=${replacement# }
    [[ $name == *${ONLY:-}* ]] || continue
    git -C "$copy" checkout --quiet -- .
    TEXT=$text REPLACEMENT=$replacement python3 - "$copy/$file" <<'PYTHON' || fail "$file no longer contains: $text"
import os, sys
path = sys.argv[1]
source = open(path).read()
mutated = source.replace(os.environ["TEXT"], os.environ["REPLACEMENT"])
if mutated == source: sys.exit(1)
open(path, "w").write(mutated)
PYTHON
    if (
        cd "$copy" && FILTER='^(JobsTests|PausesTests|PoolsTests)' timeout 900 Scripts/test.sh
    ) >"$copy/mutant.log" 2>&1; then
        echo "SURVIVED  $name"
        survivors=$((survivors + 1))
    elif grep -q 'Test run with' "$copy/mutant.log"; then
        echo "killed    $name: $(grep -c 'recorded an issue' "$copy/mutant.log") issues"
    else
        echo "BROKEN    $name: no test ran; see $copy/mutant.log"
        survivors=$((survivors + 1))
    fi
done
((survivors == 0)) || fail "$survivors mutants were not killed"
