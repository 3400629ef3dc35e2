-- The last heartbeat of any reaper. Reapers have no port, and missing maintenance is noticed late. Each reaper updates
-- the one row every second.
--
-- `liveness_seconds` is the liveness clock: the time in which a reaper could write to this database. By it, and not by
-- the time of day, a worker counts as dead (`worker.dead_after`). It stands still while PostgreSQL is down, while a
-- standby is not promoted yet, and while no reaper runs: in this time no heartbeat could arrive, or nobody could tell.
-- A step of the server's time of day moves it by 3 s at most.
CREATE TABLE reaper_heartbeat (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    at timestamptz NOT NULL,
    liveness_seconds double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Before the first heartbeat, the age counts from the migration.
INSERT INTO reaper_heartbeat (at) VALUES (clock_timestamp());

-- Whether a write would succeed now: false on a standby and in a read-only database. An error if the functions do not
-- find their tables, because the schema was renamed.
CREATE FUNCTION accepts_writes() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM reaper_heartbeat;
    RETURN NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off';
END $$;
