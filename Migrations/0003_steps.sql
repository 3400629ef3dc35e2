-- Steps: every change of a job's state is one of these, counted, and told by somebody.
--
-- Depths and totals come without counting jobs. Each statement that moves jobs says in the same
-- transaction how many it moved by which step: insert-only rows in `tally`, one a statement, band
-- and step, so nobody waits for anybody. A ticker folds them into `step_total`, which only grows.
-- Folded plus unfolded, read in one snapshot, is exact.

CREATE TYPE job_step AS ENUM (
    'enqueued', 'delayed', 'promoted', 'leased',
    'succeeded', 'failed', 'retried_now', 'retried_later', 'snoozed', 'released',
    'reclaimed', 'reclaimed_failed',
    'cancelled_queued', 'cancelled_scheduled', 'stop_requested', 'stop_outrun', 'stopped',
    'revived_failed', 'revived_cancelled', 'redriven_failed', 'redriven_cancelled', 'abandoned',
    'removed_succeeded', 'removed_failed', 'removed_cancelled');

-- The states and every way between them. NULL: the job does not exist yet, or no longer.
CREATE TABLE lifecycle (
    step job_step PRIMARY KEY,
    from_status job_status,
    to_status job_status,
    meaning text NOT NULL
);
INSERT INTO lifecycle (step, from_status, to_status, meaning) VALUES
    ('enqueued', NULL, 'queued', 'created, to run at once'),
    ('delayed', NULL, 'scheduled', 'created with a run_at ahead'),
    ('promoted', 'scheduled', 'queued', 'its time has come'),
    ('leased', 'queued', 'running', 'a worker took it'),
    ('succeeded', 'running', 'succeeded', 'finished'),
    ('failed', 'running', 'failed', 'failed for good, or out of attempts'),
    ('retried_now', 'running', 'queued', 'the attempt failed, the next may start at once'),
    ('retried_later', 'running', 'scheduled', 'the attempt failed, the next waits'),
    ('snoozed', 'running', 'scheduled', 'asked to be run later; no attempt spent'),
    ('released', 'running', 'queued', 'given back unfinished; no attempt spent'),
    ('reclaimed', 'running', 'scheduled', 'its lease expired; the attempt is spent'),
    ('reclaimed_failed', 'running', 'failed', 'its lease expired with the last attempt'),
    ('cancelled_queued', 'queued', 'cancelled', 'cancelled before it ran'),
    ('cancelled_scheduled', 'scheduled', 'cancelled', 'cancelled before its time'),
    ('stop_requested', 'running', 'ending', 'asked to stop'),
    ('stop_outrun', 'ending', 'running', 'finished by itself although asked to stop; the next step says how'),
    ('stopped', 'ending', 'cancelled', 'stopped on request, or its worker died while it was to stop'),
    ('revived_failed', 'failed', 'queued', 'retried by a person'),
    ('revived_cancelled', 'cancelled', 'queued', 'retried by a person'),
    ('redriven_failed', 'failed', 'scheduled', 'retried by a person, at a rate'),
    ('redriven_cancelled', 'cancelled', 'scheduled', 'retried by a person, at a rate'),
    ('abandoned', 'ending', 'failed', 'did not stop in time, and was given up by the watchdog'),
    ('removed_succeeded', 'succeeded', NULL, 'removed by retention'),
    ('removed_failed', 'failed', NULL, 'removed by retention'),
    ('removed_cancelled', 'cancelled', NULL, 'removed by retention');

-- No index on purpose: it is read by block range (TID range scan), which costs the writers
-- nothing. Never truncated by vacuum, since that takes an exclusive lock.
CREATE TABLE tally (
    band_id int NOT NULL,
    step job_step NOT NULL,
    n int NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

CREATE TABLE step_total (
    band_id int NOT NULL,
    step job_step NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (band_id, step)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- How many jobs took each step, ever: exact.
CREATE VIEW step_count AS
SELECT band_id, step, sum(n)::bigint AS n
FROM (SELECT band_id, step, n FROM step_total
      UNION ALL
      SELECT band_id, step, n FROM tally) AS counted
GROUP BY band_id, step;

-- How many jobs are in each status now: exact, and as cheap at five million jobs as at five.
CREATE VIEW depth AS
SELECT c.band_id, d.status, sum(c.n * d.sign)::bigint AS n
FROM step_count c
JOIN (SELECT step, to_status AS status, 1 AS sign FROM lifecycle WHERE to_status IS NOT NULL
      UNION ALL
      SELECT step, from_status, -1 FROM lifecycle WHERE from_status IS NOT NULL) d USING (step)
GROUP BY c.band_id, d.status;

-- Steps that nothing else tells of, append-only. What the rows of a job say by being there is not said
-- twice, so a job that succeeds writes nothing here: that it was created stands in job, that it was
-- leased in lease, how it ended in outcome, why an attempt failed in attempt_error. Whoever removes such
-- a row while the job lives on tells here what it has told, and whoever ends a job tells here what its
-- outcome does not: who wanted it, and why. An end is told by the outcome, unless the last event of the
-- job is one. The view `job_event` (0005_views.sql) puts all of them together.
CREATE TABLE event (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    leased_at timestamptz,                   -- of the attempt that this step ends
    worker_id bigint,                        -- that had it
    step job_step NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent after the step
    actor text,                              -- who, if not the worker itself
    reason text
) PARTITION BY RANGE (id);
CREATE INDEX event_id_at ON event (id, at);
