-- The last heartbeat of any reaper. Reapers have no port, and missing maintenance is noticed late. Each reaper updates
-- the one row every few seconds.
CREATE TABLE reaper_heartbeat (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Before the first heartbeat, the age counts from the migration.
INSERT INTO reaper_heartbeat (at) VALUES (clock_timestamp());
