-- Jobs. At any instant a job has exactly one row in one of ready, scheduled, lease and outcome. A transition deletes
-- the row in one table and inserts a row in another, in one statement. Except for renewals of its lease, a job without
-- options causes no updates of these tables, so their only dead rows are deleted ones.

CREATE TYPE job_status AS ENUM
    ('scheduled', 'queued', 'running', 'ending', 'succeeded', 'failed', 'cancelled');

CREATE TYPE backoff_kind AS ENUM ('exponential', 'fixed', 'none');

-- Lower bound for UUIDv7 ids: ids of the same or a later millisecond are not below it.
CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0')
        || '00000000000000000000')::uuid;

-- The options given at creation; insert-only. The id is a UUIDv7 made from server time, so a range of days is a range
-- of ids and can be a partition, and retention drops whole partitions (0006_partitions.sql). Fixed-width columns come
-- first, which saves padding; NULL costs nothing and means the default. Jobs are found here only by id. Lists by queue,
-- type and status use the four tables below, three of which are indexed by (subqueue_id, id), so a job costs one index
-- entry here.
--
-- The api and `enqueue` check the options. There are no CHECK constraints here and on `outcome`: PostgreSQL parses the
-- text of each again in every statement that inserts, which was a fifth of the cost of creating a job.
CREATE TABLE job (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    run_at timestamptz,                      -- NULL: at once
    subqueue_id int NOT NULL,
    timeout_seconds int NOT NULL DEFAULT 300,  -- 0: none
    cancel_grace_seconds int,
    max_attempts smallint NOT NULL DEFAULT 25,
    backoff_kind backoff_kind,               -- NULL: attempt^4 seconds
    backoff_base_seconds double precision,
    backoff_max_seconds double precision,
    payload json NOT NULL,                   -- json, not jsonb: keeps numbers and \u0000 as given
    unique_key text,
    concurrency_key text,
    tags text[],
    trace_parent text,
    teardown json,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

-- The payload if it has at most 16 KiB, otherwise NULL: what a lease returns, so that the answer to a lease of a
-- thousand jobs of 1 MiB is small. A stored value of up to 160 bytes is shorter than that, however well it is
-- compressed; one that is stored in more than 16 KiB is longer. Only those between are decompressed here.
CREATE FUNCTION inline_payload(payload json) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN pg_column_size(payload) <= 160 THEN payload
            WHEN pg_column_size(payload) <= 16384 AND octet_length(payload::text) <= 16384 THEN payload END;

CREATE INDEX job_tags ON job USING gin (tags) WHERE tags IS NOT NULL;    -- GET /api/jobs by tag

-- Jobs that may be leased now, in the order of `seq` within a subqueue. `seq` is drawn when a job becomes ready, so a
-- job that returns from a backoff is behind those that waited meanwhile. `priority` is that of the subqueue: the lease
-- finds the subqueues that have jobs, best priority first, by one index, however many subqueues exist. It takes the
-- space of padding.
CREATE SEQUENCE ready_seq;
CREATE TABLE ready (
    id uuid NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('ready_seq'),
    ready_at timestamptz NOT NULL,           -- since when it could run
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent so far
    priority smallint NOT NULL,
    partition_key bigint                     -- of its concurrency key; NULL: none
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX ready_order ON ready (priority, subqueue_id, seq);      -- the lease
CREATE INDEX ready_subqueue_id ON ready (subqueue_id, id);           -- one job, lists newest first, retention
CREATE INDEX ready_subqueue_partition_key ON ready (subqueue_id, partition_key, seq)
    WHERE partition_key IS NOT NULL;                                 -- lease_fairly

-- Low-water marks: leases do not look for ready rows of a subqueue below its mark, to avoid scanning dead index
-- entries. Only a subqueue from which much was leased has one. The mark is a hint: a wrong one delays jobs until the
-- next sweep, and never loses one. It changes several times a second, so three quarters of each page stay free for HOT
-- updates.
CREATE TABLE low_water_mark (
    priority smallint NOT NULL,              -- of the subqueue
    subqueue_id int NOT NULL REFERENCES subqueue ON DELETE CASCADE,
    seq bigint NOT NULL,
    advanced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (priority, subqueue_id)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- The mark of a subqueue; 0: none.
CREATE FUNCTION low_water_mark_of(of_priority smallint, of_subqueue int) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
RETURN COALESCE((SELECT seq FROM low_water_mark WHERE priority = of_priority AND subqueue_id = of_subqueue), 0);

-- Jobs whose run_at is in the future: delayed at creation, snoozed, or waiting out a backoff.
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

-- Lease tokens increase for ever, over all jobs, so that what runs under an earlier lease can be told from what runs
-- under the current one, also by others: `WHERE lease_token <= $2`. A sequence alone does not achieve that. A standby
-- that is promoted after an asynchronous failover lacks the last numbers, and a restored dump has those of its time. So
-- a token is the *epoch* times 2^40 plus a number of the sequence, and the epoch increases whenever the history of the
-- database may have been cut: when the timeline of the WAL is another one than at the last lease, which is seen by the
-- first lease after a promotion, and when the cluster or the tables are others (`begin_token_epoch`, called by each
-- migration and by the reaper). Up to epoch 8,191 a token is exact in JSON numbers of 53 bits.
CREATE TABLE token_epoch (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch int NOT NULL CHECK (epoch BETWEEN 1 AND 4194303),
    timeline int NOT NULL,                   -- of the WAL, when the epoch began
    cluster bigint,                          -- its identifier; NULL: it could not be read
    table_id oid NOT NULL                    -- of this table
);

CREATE FUNCTION wal_timeline() RETURNS int LANGUAGE sql VOLATILE
RETURN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;

-- Begins a new epoch if the database has been promoted, restored or copied, and returns the current one. It is at least
-- the timeline: of a promoted server that was lost with all that it wrote, the next one still knows the timeline. Some
-- services do not let a role read the identifier of the cluster; then it is not compared.
CREATE FUNCTION begin_token_epoch() RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    here bigint;
BEGIN
    BEGIN
        here := (SELECT system_identifier FROM pg_control_system());
    EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
        here := NULL;
    END;
    INSERT INTO token_epoch (epoch, timeline, cluster, table_id)
    SELECT wal_timeline(), wal_timeline(), here, 'token_epoch'::regclass
    WHERE NOT EXISTS (SELECT FROM token_epoch)
    ON CONFLICT DO NOTHING;
    UPDATE token_epoch
    SET epoch = GREATEST(epoch + 1, wal_timeline()), timeline = wal_timeline(), cluster = COALESCE(here, cluster),
        table_id = 'token_epoch'::regclass
    WHERE timeline <> wal_timeline() OR cluster <> here OR table_id <> 'token_epoch'::regclass;
    RETURN (SELECT epoch FROM token_epoch);
END $$;

SELECT begin_token_epoch();

-- The next token of a sequence. The first one of an epoch is committed together with the epoch.
CREATE FUNCTION next_token(tokens regclass) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    current_epoch bigint := (SELECT epoch FROM token_epoch WHERE timeline = wal_timeline());
BEGIN
    RETURN (COALESCE(current_epoch, begin_token_epoch()) << 40) + nextval(tokens);
END $$;

-- Running jobs. Tokens increase over all jobs, forever. A write must carry the token of its lease, so a worker that
-- lost the lease can change nothing. The table has as many rows as jobs run now, so the rare readers (reclaim, lists by
-- worker) scan all of it, and a job without options has only the entry of the primary key: this saves 6 % of its WAL,
-- and makes renewals HOT updates.
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
    queue_id int,                            -- of a queue with limits, which counts it; otherwise NULL
    partition_key bigint                     -- of its concurrency key; NULL: none
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
-- A job without key and limit is in none of these, until it is cancelled.
CREATE INDEX lease_queue ON lease (queue_id) WHERE queue_id IS NOT NULL;                     -- max_running
CREATE INDEX lease_partition_key ON lease (partition_key) WHERE partition_key IS NOT NULL;   -- max_running_per_key
CREATE INDEX lease_ending ON lease (worker_id) WHERE cancel_requested_at IS NOT NULL;        -- cancel requests

-- How a job ended; insert-only, partitioned like `job`. Retrying a failed or cancelled job deletes its row. The
-- subqueue leads the key, so that one index serves both a single job (whose subqueue is in its job row) and lists by
-- queue and type. A job never changes its subqueue, so the key is as unique as the id alone.
CREATE TABLE outcome (
    id uuid NOT NULL,
    token bigint,                            -- NULL: it never ran, or was cancelled while waiting
    worker_id bigint,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    subqueue_id int NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent
    status job_status NOT NULL,              -- succeeded, failed or cancelled
    result json,
    PRIMARY KEY (subqueue_id, id)
) PARTITION BY RANGE (id);
-- The dead letter, newest first. It excludes succeeded jobs, which are the majority.
CREATE INDEX outcome_not_succeeded ON outcome (subqueue_id, status, id) WHERE status <> 'succeeded';

-- Why attempts failed: one row per failed attempt, so successful jobs cost nothing here. The last error of a job is
-- that of its highest attempt.
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

-- The latest progress report of a job, kept until the job is removed.
CREATE TABLE progress (
    id uuid PRIMARY KEY,
    percent smallint NOT NULL CHECK (percent BETWEEN 0 AND 100),
    message text,
    reported_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The wait before the next attempt, after `attempt` failed ones. Default: attempt^4 seconds, at most 24 h. Exponential:
-- base doubled with each attempt, up to its maximum. Both with a jitter of +-10 %, so that jobs that failed together do
-- not return together. The jitter stays below the maximum, so it also spreads jobs that have reached it.
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
