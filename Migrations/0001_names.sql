-- Names and bands: the small tables that every job points to.
--
-- Rows of the hot tables carry one integer, the band, and never a text: a band is one FIFO, all
-- jobs of one queue, one type and one priority. Bands are made once, never change and are never
-- removed, so every process may cache their ids for ever.

CREATE TABLE queue (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._:/-]{1,128}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE type (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._:/-]{1,128}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- `low` is the low-water mark: no ready row of the band below it is worth looking for. It is a
-- hint that only saves walking over dead index entries; wrong, it costs delay, never a job.
-- It moves several times a second, so three quarters of each page stay free for HOT updates.
CREATE TABLE band (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id int NOT NULL REFERENCES queue,
    type_id int NOT NULL REFERENCES type,
    priority smallint NOT NULL,
    low bigint NOT NULL DEFAULT 0,
    UNIQUE (queue_id, type_id, priority)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

COMMENT ON TABLE band IS 'One FIFO: the jobs of one queue, type and priority (lower first).';
COMMENT ON COLUMN band.low IS 'Low-water mark over ready.seq: a hint, raised by a ticker.';

-- Ids of the bands for parallel arrays of names, in the order given; what is missing is made.
-- Any number of callers at once get the same ids: an insert that meets a concurrent one waits for
-- its commit, and the next statement sees it (READ COMMITTED). Names are inserted in sorted order,
-- so callers cannot deadlock. Runs in a transaction of its own: cached ids must be committed.
CREATE FUNCTION register_bands(queues text[], types text[], priorities smallint[])
RETURNS TABLE (queue_id int, type_id int, band_id int)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
BEGIN
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

    INSERT INTO band (queue_id, type_id, priority)
    SELECT DISTINCT q.id, t.id, g.priority
    FROM unnest(queues, types, priorities) AS g (queue, type, priority)
    JOIN queue q ON q.name = g.queue
    JOIN type t ON t.name = g.type
    WHERE NOT EXISTS (SELECT FROM band b
                      WHERE b.queue_id = q.id AND b.type_id = t.id AND b.priority = g.priority)
    ORDER BY q.id, t.id, g.priority
    ON CONFLICT DO NOTHING;

    RETURN QUERY
    SELECT q.id, t.id, b.id
    FROM unnest(queues, types, priorities) WITH ORDINALITY AS g (queue, type, priority, ordinal)
    JOIN queue q ON q.name = g.queue
    JOIN type t ON t.name = g.type
    JOIN band b ON b.queue_id = q.id AND b.type_id = t.id AND b.priority = g.priority
    ORDER BY g.ordinal;
END $$;
