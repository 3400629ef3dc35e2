-- Workers: one row an incarnation (one boot of one process). Names recur, incarnations never.

CREATE TABLE worker (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incarnation uuid NOT NULL UNIQUE,
    name text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    queues text[],                           -- NULL: all
    types text[],                            -- that it has handlers for, `hook.*` for a prefix; NULL: not said
    concurrency int NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,         -- not alive after this
    deregistered_at timestamptz,                 -- said goodbye, or was found dead
    running int NOT NULL DEFAULT 0,
    waiting boolean NOT NULL DEFAULT false,  -- may be asleep until notified
    pause_version bigint NOT NULL DEFAULT 0,   -- the latest change of control that it has obeyed
    counters jsonb NOT NULL DEFAULT '{}'     -- its metric series, name{labels} to number
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
-- What an enqueue asks: does anybody sleep? It holds only those that do.
CREATE INDEX worker_waiting ON worker (id) WHERE waiting;
CREATE INDEX worker_alive ON worker (id) WHERE deregistered_at IS NULL;

-- Whether a worker with handlers for these types can run jobs of this one.
CREATE FUNCTION handles_type(types text[], type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN types IS NULL OR EXISTS (
    SELECT FROM unnest(types) AS g (pattern)
    WHERE g.pattern = type OR g.pattern LIKE '%*' AND starts_with(type, left(g.pattern, -1)));

-- What departed workers had counted, so that totals never fall when their rows empty.
CREATE TABLE deregistered_counter (
    series text PRIMARY KEY,
    value double precision NOT NULL
);
