-- Queues, types and subqueues: the small tables that every job refers to.
--
-- Rows of the hot tables carry one integer, the subqueue, instead of texts. A subqueue holds the jobs of one queue, one
-- type and one priority, either with or without concurrency keys, first in, first out. Processes cache the ids of
-- subqueues. A subqueue that stays without jobs is retired and removed (0013_remove_queues.sql), so every creation of a
-- job checks that its subqueue is there. Ids are not used again.

-- The settings of a queue (PUT /api/queues/{name}). NULL: no limit, or the reaper's retention. Names are in the order
-- of their bytes, which is the order of GET /api/queues, whatever the collation of the database.
CREATE TABLE queue (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE CHECK (name ~ '^(?!\.{1,2}$)[A-Za-z0-9._:/-]{1,128}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    max_running int CHECK (max_running >= 1),
    max_running_per_key int CHECK (max_running_per_key >= 1),
    rate_count int CHECK (rate_count >= 1),                  -- maximum number of starts ...
    rate_seconds double precision CHECK (rate_seconds > 0),  -- ... per this many seconds
    rate_burst int CHECK (rate_burst >= 1),                  -- maximum number of starts at once
    succeeded_hours int CHECK (succeeded_hours >= 0),
    failed_hours int CHECK (failed_hours >= 0),
    cancelled_hours int CHECK (cancelled_hours >= 0),
    keeps_leases boolean NOT NULL DEFAULT false,             -- takeover "lease": a lease outlives its worker
    limited boolean NOT NULL GENERATED ALWAYS AS
        (max_running IS NOT NULL OR max_running_per_key IS NOT NULL OR rate_count IS NOT NULL) STORED,
    in_metrics boolean NOT NULL DEFAULT false,               -- set by the trigger below
    CHECK (num_nulls(rate_count, rate_seconds, rate_burst) IN (0, 3))
);

COMMENT ON COLUMN queue.in_metrics IS 'Has series of its own in the metrics; otherwise it is part of queue="other".';
CREATE INDEX queue_in_metrics ON queue (id) INCLUDE (name) WHERE in_metrics;

-- The names that have series. A name outlives its queue, until no live worker counts under it (`release_metric_names`,
-- 0013_remove_queues.sql).
CREATE TABLE metric_name (
    name text COLLATE "C" PRIMARY KEY
);

-- The first queues get series of their own in the metrics, all others together have the series `other`, so that the
-- page of metrics has a bounded size: about 60 lines for each name. A queue never moves between the two, because a
-- counter must not jump. A queue with the name `other` is one of the others. Queues that are created at the same time
-- do not see each other, so the bound may be exceeded by a few: a lock would let the creation of one queue wait for the
-- transaction of another. The settings make it read the index, also with a plan of the time when the table was empty.
CREATE FUNCTION place_in_metrics() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
    -- The insertion meets this row, and does nothing.
    IF EXISTS (SELECT FROM queue q WHERE q.name = NEW.name) THEN
        RETURN NEW;
    END IF;
    SELECT COALESCE(bool_or(m.name = NEW.name), false)
           OR count(*) < 200 AND COALESCE(sum(octet_length(m.name)), 0) + octet_length(NEW.name) <= 6000
              AND NEW.name <> 'other'
    INTO NEW.in_metrics FROM metric_name m;
    IF NEW.in_metrics THEN
        INSERT INTO metric_name (name) VALUES (NEW.name) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER place_in_metrics BEFORE INSERT ON queue FOR EACH ROW EXECUTE FUNCTION place_in_metrics();

-- Another choice of the operator.
CREATE FUNCTION change_metric_name() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.in_metrics THEN
        INSERT INTO metric_name (name) VALUES (NEW.name) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM metric_name m WHERE m.name = NEW.name;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER change_metric_name AFTER UPDATE OF in_metrics ON queue
FOR EACH ROW EXECUTE FUNCTION change_metric_name();

CREATE TABLE type (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^(?!\.{1,2}$)[A-Za-z0-9._:/-]{1,128}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE subqueue (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id int NOT NULL REFERENCES queue,
    type_id int NOT NULL REFERENCES type,
    priority smallint NOT NULL,
    keyed boolean NOT NULL,
    unrestricted boolean NOT NULL,
    retired_at timestamptz,
    UNIQUE (queue_id, type_id, priority, keyed)
);
CREATE INDEX subqueue_retired ON subqueue (retired_at) WHERE retired_at IS NOT NULL;

COMMENT ON TABLE subqueue IS 'The jobs of one queue, type and priority (lower first), first in, first out.';
COMMENT ON COLUMN subqueue.keyed IS 'Whether its jobs have concurrency keys, which are leased round-robin.';
COMMENT ON COLUMN subqueue.unrestricted IS 'No keys and no limits: the short lease statement may take its jobs.';
COMMENT ON COLUMN subqueue.retired_at IS 'Takes no new jobs since then, until it is registered again.';

-- Every lease statement locks this table in ROW SHARE mode, which costs nothing measurable. A change of what may be
-- leased (a limit, a pause) locks it in EXCLUSIVE mode first. It thus waits for the running lease statements, and later
-- ones see the change, because a statement takes its snapshot after its locks. The table stays empty.
CREATE TABLE lease_gate ();

-- Returns the ids of subqueues for parallel arrays of names, in the given order, creates missing ones, and takes
-- retired ones into use again. Concurrent callers get the same ids: an insert that meets a concurrent one waits for its
-- commit, and the next statement sees it (READ COMMITTED). Names are inserted in sorted order, so callers cannot
-- deadlock. Runs in a transaction of its own, because cached ids must be committed.
CREATE FUNCTION register_subqueues(queues text[], types text[], priorities smallint[], keyed boolean[])
RETURNS TABLE (queue_id int, type_id int, subqueue_id int, in_metrics boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    wanted bigint := (SELECT count(DISTINCT g.name) FROM unnest(queues) AS g (name));
    locked bigint;
    retired int[];
BEGIN
    LOOP
        INSERT INTO queue (name)
        SELECT DISTINCT g.name FROM unnest(queues) AS g (name)
        WHERE NOT EXISTS (SELECT FROM queue q WHERE q.name = g.name)
        ORDER BY g.name
        ON CONFLICT DO NOTHING;

        INSERT INTO type (name)
        SELECT DISTINCT g.name FROM unnest(types) AS g (name)
        WHERE NOT EXISTS (SELECT FROM type t WHERE t.name = g.name)
        ORDER BY g.name
        ON CONFLICT DO NOTHING;

        -- The limits of a queue must not change, nor may it be removed, before the new subqueue is committed. A queue
        -- that was removed after the first statement saw it is created again.
        PERFORM FROM queue q WHERE q.name = ANY (queues) ORDER BY q.id FOR SHARE;
        GET DIAGNOSTICS locked = ROW_COUNT;
        EXIT WHEN locked = wanted;
    END LOOP;

    INSERT INTO subqueue (queue_id, type_id, priority, keyed, unrestricted)
    SELECT DISTINCT q.id, t.id, g.priority, g.keyed, NOT (g.keyed OR q.limited)
    FROM unnest(queues, types, priorities, keyed) AS g (queue, type, priority, keyed)
    JOIN queue q ON q.name = g.queue
    JOIN type t ON t.name = g.type
    WHERE NOT EXISTS (SELECT FROM subqueue b
                      WHERE b.queue_id = q.id AND b.type_id = t.id AND b.priority = g.priority
                        AND b.keyed = g.keyed)
    ORDER BY q.id, t.id, g.priority, g.keyed
    ON CONFLICT DO NOTHING;

    retired := ARRAY(
        SELECT b.id
        FROM unnest(queues, types, priorities, keyed) AS g (queue, type, priority, keyed)
        JOIN queue q ON q.name = g.queue
        JOIN type t ON t.name = g.type
        JOIN subqueue b ON b.queue_id = q.id AND b.type_id = t.id AND b.priority = g.priority AND b.keyed = g.keyed
        WHERE b.retired_at IS NOT NULL
        ORDER BY b.id FOR NO KEY UPDATE OF b);
    IF cardinality(retired) > 0 THEN
        UPDATE subqueue SET retired_at = NULL WHERE id = ANY (retired);
    END IF;

    RETURN QUERY
    SELECT q.id, t.id, b.id, q.in_metrics
    FROM unnest(queues, types, priorities, keyed) WITH ORDINALITY AS g (queue, type, priority, keyed, ordinal)
    JOIN queue q ON q.name = g.queue
    JOIN type t ON t.name = g.type
    JOIN subqueue b ON b.queue_id = q.id AND b.type_id = t.id AND b.priority = g.priority AND b.keyed = g.keyed
    ORDER BY g.ordinal;
END $$;

-- The partition key of a concurrency key in a queue: a 64-bit hash. Two keys with the same hash would share one limit
-- and one turn of the round-robin; with 64 bits this practically never happens.
CREATE FUNCTION partition_key_of(queue_id int, concurrency_key text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN hashtextextended(concurrency_key, queue_id);
