-- The life of a job. At any instant a job has exactly one row in one of ready, scheduled, lease
-- and outcome; moving it is a DELETE here and an INSERT there in one statement. No row of these
-- is updated on the way of a plain job, so no row has dead versions but the deleted ones.

CREATE TYPE job_status AS ENUM
    ('scheduled', 'queued', 'running', 'ending', 'succeeded', 'failed', 'cancelled');

CREATE TYPE backoff_kind AS ENUM ('exponential', 'fixed', 'none');

-- Bounds for UUIDv7 ids: ids of the same or a later millisecond are not below it.
CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0')
        || '00000000000000000000')::uuid;

-- What was said at creation: insert-only. The id is a UUIDv7 made from server time, so the range
-- of ids of some days is a partition, and retention drops whole partitions (0006_partitions.sql).
-- Fixed-width columns stand first, which spares padding; NULL costs nothing and means the default.
-- Nothing finds jobs here but their id: lists by queue, type and status are answered by the four
-- tables below, each of which is indexed by (subqueue_id, id), so a job costs one index entry here.
CREATE TABLE job (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    run_at timestamptz,                      -- NULL: at once
    subqueue_id int NOT NULL,
    timeout_seconds int NOT NULL DEFAULT 300 CHECK (timeout_seconds >= 0),   -- 0: none
    cancel_grace_seconds int CHECK (cancel_grace_seconds >= 0),
    max_attempts smallint NOT NULL DEFAULT 25 CHECK (max_attempts >= 1),
    backoff_kind backoff_kind,               -- NULL: attempt^4 seconds
    backoff_base_seconds double precision CHECK (backoff_base_seconds >= 0),
    backoff_max_seconds double precision CHECK (backoff_max_seconds >= 0),
    payload json NOT NULL,                   -- json, not jsonb: numbers and \u0000 stay as given
    unique_key text,
    concurrency_key text,
    tags text[],
    trace_parent text,
    teardown json,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE INDEX job_tags ON job USING gin (tags) WHERE tags IS NOT NULL;    -- GET /api/jobs by tag

-- Jobs that may be leased now, FIFO by seq within a subqueue. Seq is drawn when a job becomes ready,
-- so one that comes back from a backoff stands behind those that waited meanwhile.
CREATE SEQUENCE ready_seq;
CREATE TABLE ready (
    id uuid NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('ready_seq'),
    ready_at timestamptz NOT NULL,           -- since when it could have run
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent so far
    partition_key bigint                              -- of its concurrency key; NULL: it has none
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX ready_subqueue_seq ON ready (subqueue_id, seq);         -- the lease
CREATE INDEX ready_subqueue_id ON ready (subqueue_id, id);           -- one job, lists newest first, retention
CREATE INDEX ready_subqueue_partition_key ON ready (subqueue_id, partition_key, seq) WHERE partition_key IS NOT NULL;   -- the lease by turns

-- Jobs whose time has not come: created with a run_at ahead, snoozed, or waiting out a backoff.
CREATE TABLE scheduled (
    id uuid PRIMARY KEY,
    run_at timestamptz NOT NULL,
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,
    partition_key bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX scheduled_run_at ON scheduled (run_at);         -- promotion
CREATE INDEX scheduled_subqueue_id ON scheduled (subqueue_id, id);   -- lists newest first

-- Running jobs. The token only grows, over all jobs and for ever: a write must bring the token of
-- the lease it was given, so whoever lost the lease can change nothing. There are as many rows as
-- jobs run right now, so the rare readers (reclaim, lists by worker) walk over the whole table, and
-- no index but the key is kept: that saves every job 6 % of its WAL, and renewals are HOT updates.
CREATE SEQUENCE lease_token;
CREATE TABLE lease (
    id uuid PRIMARY KEY,
    token bigint NOT NULL,
    worker_id bigint NOT NULL,
    leased_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    cancel_requested_at timestamptz,         -- not NULL: the job is `ending`
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,               -- this attempt, counted from 1
    queue_id int,                            -- of a queue with limits, which counts it; else NULL
    partition_key bigint                              -- of its concurrency key; NULL: it has none
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
-- A plain job is in none of these.
CREATE INDEX lease_queue ON lease (queue_id) WHERE queue_id IS NOT NULL;             -- max_running
CREATE INDEX lease_partition_key ON lease (partition_key) WHERE partition_key IS NOT NULL;                      -- max_running_per_key
CREATE INDEX lease_ending ON lease (worker_id) WHERE cancel_requested_at IS NOT NULL;    -- whom to stop

-- How a job ended: insert-only, partitioned like job. A retry of a failed or cancelled job by a
-- person deletes its row, since the job is then alive again. The subqueue leads the key so that one
-- index serves both a single job (whose subqueue is in its job row) and lists by queue and type; a job
-- never changes its subqueue, so the key is as unique as the id alone.
CREATE TABLE outcome (
    id uuid NOT NULL,
    token bigint,                            -- NULL: it never ran, or was cancelled while waiting
    worker_id bigint,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent
    status job_status NOT NULL CHECK (status IN ('succeeded', 'failed', 'cancelled')),
    result json,
    PRIMARY KEY (subqueue_id, id)
) PARTITION BY RANGE (id);
-- The dead letter, newest first; succeeded jobs, the many, are not in it.
CREATE INDEX outcome_not_succeeded ON outcome (subqueue_id, status, id) WHERE status <> 'succeeded';

-- Why attempts failed: one row a failed attempt, so the successful path pays nothing.
-- A job's last error is the one of its highest attempt.
CREATE TABLE attempt_error (
    id uuid NOT NULL,
    token bigint NOT NULL,
    worker_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    failed_at timestamptz NOT NULL,
    attempt smallint NOT NULL,
    error json NOT NULL,
    PRIMARY KEY (id, attempt)
) PARTITION BY RANGE (id);

-- How far a running job says that it is; the last word of it stays until the job is removed.
CREATE TABLE progress (
    id uuid PRIMARY KEY,
    percent smallint NOT NULL CHECK (percent BETWEEN 0 AND 100),
    message text,
    reported_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The wait before the next attempt, after `attempt` failed ones. Default: attempt^4 seconds, at
-- most 24 h. Exponential: base doubled with each attempt, up to its maximum. Both with a jitter of
-- +-10 %, so that jobs which failed together do not come back together, also when all of them have
-- reached the maximum: the jitter stays below it.
CREATE FUNCTION retry_delay(kind backoff_kind, base_seconds double precision,
                            max_seconds double precision, attempt int) RETURNS interval
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN CASE kind
    WHEN 'none' THEN interval '0'
    WHEN 'fixed' THEN make_interval(secs => COALESCE(base_seconds, 1))
    WHEN 'exponential' THEN make_interval(secs => (0.9 + 0.2 * random())
        * LEAST(COALESCE(base_seconds, 1) * 2.0 ^ LEAST(attempt - 1, 60), COALESCE(max_seconds, 86400) / 1.1))
    ELSE make_interval(secs => (0.9 + 0.2 * random())
        * LEAST(attempt::double precision ^ 4, 86400 / 1.1))
END;
