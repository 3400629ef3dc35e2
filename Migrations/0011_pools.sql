-- Pools: long-lived workloads, distributed over an ordered set of workers.

-- The tokens of all leases of workloads. One sequence for all pools, so that the tokens of a pool that is removed and
-- created again still increase.
CREATE SEQUENCE pool_token AS bigint;

-- One row per pool. Names are compared by their bytes, as the programs do: the rows of one pool are always locked in
-- the order of the names.
CREATE TABLE pool (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    size int CHECK (size > 0),               -- NULL: auto
    handler text NOT NULL,
    version bigint NOT NULL DEFAULT 0,       -- of the assignment; increases by one with each change
    complete_size int NOT NULL DEFAULT 0,    -- the size when it was last complete; 0: never
    waiting_for_members boolean NOT NULL DEFAULT true, -- nothing is assigned meanwhile
    observed int NOT NULL DEFAULT 0,         -- number of members seen
    observed_since timestamptz NOT NULL,     -- since when that number
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text,
    reason text,
    removed_at timestamptz                   -- its row is deleted when its last lease is gone
) WITH (fillfactor = 50);

-- One row per ordinal that was ever taken. A membership is a lease: one incarnation has it until it leaves, or until
-- `expires_at` has passed.
CREATE TABLE pool_member (
    pool_id int NOT NULL REFERENCES pool ON DELETE CASCADE,
    ordinal int NOT NULL CHECK (ordinal >= 0),
    name text NOT NULL,                      -- in config.yml
    host text NOT NULL,
    version bigint NOT NULL DEFAULT 0,       -- of the pool at the last change of this member's list
    incarnation uuid,                        -- one start of one process; NULL: the ordinal is free
    joined_at timestamptz,
    expires_at timestamptz,
    renew_by timestamptz,                    -- without a renewal until then it counts as unresponsive
    leaving boolean NOT NULL DEFAULT false,  -- it stops its workloads, and gets no others
    PRIMARY KEY (pool_id, ordinal)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- One row per workload, with its owner (an ordinal) and its holder (an incarnation). The two differ during a handover.
-- Every write of the holder carries the token.
CREATE TABLE pool_workload (
    pool_id int NOT NULL REFERENCES pool ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    removed boolean NOT NULL DEFAULT false,  -- it has to stop; the row is deleted when nobody holds it
    owner int,                               -- NULL: not assigned
    preferred_owner int,                     -- its owner when the pool was last complete
    token bigint NOT NULL DEFAULT 0,         -- of the latest lease
    holder uuid,                             -- NULL: nobody holds it
    holder_ordinal int,
    acquired_at timestamptz,
    expires_at timestamptz,                  -- of the lease
    state text,                              -- reported by its holder: starting, running, backoff
    started_at timestamptz,                  -- of the process
    restarts int NOT NULL DEFAULT 0,         -- under this lease
    last_error text,
    last_error_at timestamptz,
    PRIMARY KEY (pool_id, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
-- For members: the workloads that an ordinal owns, and those that an incarnation holds. Renewals touch neither index.
CREATE INDEX pool_workload_owner ON pool_workload (pool_id, owner);
CREATE INDEX pool_workload_holder ON pool_workload (pool_id, holder) WHERE holder IS NOT NULL;
