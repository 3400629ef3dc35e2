-- When a reaper last went its rounds: reapers have no port, and what they leave undone shows late. One row, which each
-- of them writes every few seconds.
CREATE TABLE reaper_heartbeat (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Until there is one, it has been away since now.
INSERT INTO reaper_heartbeat (at) VALUES (clock_timestamp());
