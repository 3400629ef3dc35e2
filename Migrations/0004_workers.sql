-- Workers: one row per incarnation (one start of one process). Names recur, incarnations do not.

CREATE TABLE worker (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incarnation uuid NOT NULL UNIQUE,
    name text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    queues text[],                           -- NULL: all
    types text[],                            -- types with a handler, `hook.*` for a prefix; NULL: unknown
    kept_types text[] NOT NULL DEFAULT '{}', -- of those, the ones whose leases outlive it (takeover "lease")
    concurrency int NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,         -- its heartbeat is late after this: it counts as alive until then
    dead_after double precision NOT NULL DEFAULT 0,          -- considered dead when the liveness clock passes this
    deregistered_at timestamptz,             -- it deregistered, or was considered dead
    running int NOT NULL DEFAULT 0,
    waiting boolean NOT NULL DEFAULT false,  -- may wait for a notification
    pause_version bigint NOT NULL DEFAULT 0, -- the latest pause change that it has acknowledged
    paused_by_file boolean NOT NULL DEFAULT false,           -- its own control file lets it lease nothing
    loop_turn_seconds double precision NOT NULL DEFAULT 0,   -- the longest turn of its event loop in 1 to 2 minutes
    counters jsonb NOT NULL DEFAULT '{}'     -- its metric series, name{labels} to number
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
-- For creating jobs: whether any worker waits. It holds only those.
CREATE INDEX worker_waiting ON worker (id) WHERE waiting;
CREATE INDEX worker_alive ON worker (id) WHERE deregistered_at IS NULL;

-- Whether a worker with handlers for `types` can run jobs of `type`.
CREATE FUNCTION handles_type(types text[], type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN types IS NULL OR EXISTS (
    SELECT FROM unnest(types) AS g (pattern)
    WHERE g.pattern = type OR g.pattern LIKE '%*' AND starts_with(type, left(g.pattern, -1)));

-- The counters of deregistered workers, so that totals never fall when their rows are removed.
CREATE TABLE deregistered_counter (
    series text PRIMARY KEY,
    value double precision NOT NULL
);
