-- Pools: long-lived workloads, shared out among an ordered set of workers.

-- The tokens of all leases of workloads. One sequence for all pools, so that a pool that is removed and made again
-- under its name goes on where it was.
CREATE SEQUENCE pool_token AS bigint;

-- One row a pool. Names are compared by their bytes here, as the programs compare them: many rows of one pool are
-- always locked in the order of the names.
CREATE TABLE pool (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    size int CHECK (size > 0),               -- NULL: auto
    handler text NOT NULL,
    version bigint NOT NULL DEFAULT 0,       -- of the assignment: one more with each change
    complete_size int NOT NULL DEFAULT 0,          -- the size that it had when it was complete; 0: it never was
    waiting_for_members boolean NOT NULL DEFAULT true, -- it waits for its members, and nothing is assigned
    observed int NOT NULL DEFAULT 0,         -- how many members it seems to have
    observed_since timestamptz NOT NULL,     -- since when that many
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text,
    reason text,
    removed_at timestamptz                   -- it is to go, and does when the last lease has
) WITH (fillfactor = 50);

-- One row an ordinal that ever was taken. The lease of a membership is like that of a workload: one incarnation has
-- it until it leaves, or `expires_at` has passed.
CREATE TABLE pool_member (
    pool_id int NOT NULL REFERENCES pool ON DELETE CASCADE,
    ordinal int NOT NULL CHECK (ordinal >= 0),
    name text NOT NULL,                      -- in config.yml
    host text NOT NULL,
    version bigint NOT NULL DEFAULT 0,       -- of the pool, when this one's list changed last
    incarnation uuid,                        -- one boot of one process; NULL: nobody has the ordinal
    joined_at timestamptz,
    expires_at timestamptz,
    leaving boolean NOT NULL DEFAULT false,  -- it stops its workloads, and is given no others
    PRIMARY KEY (pool_id, ordinal)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- One row a workload: whose it is (`owner`, an ordinal), and who has it (`holder`, an incarnation). They differ while it
-- is handed over. Whatever its holder writes carries the token.
CREATE TABLE pool_workload (
    pool_id int NOT NULL REFERENCES pool ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    removed boolean NOT NULL DEFAULT false,  -- it is to stop; the row goes when nobody holds it
    owner int,                               -- NULL: not assigned
    preferred_owner int,                                -- its owner when the pool was complete last
    token bigint NOT NULL DEFAULT 0,         -- of the latest lease
    holder uuid,                             -- NULL: nobody has it
    holder_ordinal int,
    acquired_at timestamptz,
    expires_at timestamptz,                  -- of the lease
    state text,                              -- what its holder says: starting, running, backoff
    started_at timestamptz,                  -- of the process
    restarts int NOT NULL DEFAULT 0,         -- under this lease
    last_error text,
    last_error_at timestamptz,
    PRIMARY KEY (pool_id, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
-- What a member asks: what is mine, and what do I have? Renewals touch neither index.
CREATE INDEX pool_workload_owner ON pool_workload (pool_id, owner);
CREATE INDEX pool_workload_holder ON pool_workload (pool_id, holder) WHERE holder IS NOT NULL;
