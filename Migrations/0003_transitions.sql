-- Steps: every change of a job's state is one of these, counted, and told by somebody.
--
-- Depths and totals come without counting jobs. Each statement that moves jobs says in the same
-- transaction how many it moved by which transition: insert-only rows in `transition_delta`, one a statement, subqueue
-- and transition, so nobody waits for anybody. A ticker folds them into `transition_total`, which only grows.
-- Folded plus unfolded, read in one snapshot, is exact.

CREATE TYPE job_transition AS ENUM (
    'enqueued', 'delayed', 'promoted', 'leased',
    'succeeded', 'failed', 'retried_now', 'retried_later', 'snoozed', 'released',
    'reclaimed', 'reclaimed_failed',
    'cancelled_queued', 'cancelled_scheduled', 'cancel_requested', 'completed_before_cancel', 'cancelled_running',
    'failed_retried', 'cancelled_retried', 'failed_redriven', 'cancelled_redriven', 'abandoned',
    'removed_succeeded', 'removed_failed', 'removed_cancelled');

-- The states and every way between them. NULL: the job does not exist yet, or no longer.
CREATE TABLE state_machine (
    transition job_transition PRIMARY KEY,
    from_status job_status,
    to_status job_status,
    meaning text NOT NULL
);
INSERT INTO state_machine (transition, from_status, to_status, meaning) VALUES
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
    ('cancel_requested', 'running', 'ending', 'asked to stop'),
    ('completed_before_cancel', 'ending', 'running', 'finished by itself although asked to stop; the next transition says how'),
    ('cancelled_running', 'ending', 'cancelled', 'stopped on request, or its worker died while it was to stop'),
    ('failed_retried', 'failed', 'queued', 'retried by a person'),
    ('cancelled_retried', 'cancelled', 'queued', 'retried by a person'),
    ('failed_redriven', 'failed', 'scheduled', 'retried by a person, at a rate'),
    ('cancelled_redriven', 'cancelled', 'scheduled', 'retried by a person, at a rate'),
    ('abandoned', 'ending', 'failed', 'did not stop in time, and was given up by the watchdog'),
    ('removed_succeeded', 'succeeded', NULL, 'removed by retention'),
    ('removed_failed', 'failed', NULL, 'removed by retention'),
    ('removed_cancelled', 'cancelled', NULL, 'removed by retention');

-- No index on purpose: it is read by block range (TID range scan), which costs the writers
-- nothing. Never truncated by vacuum, since that takes an exclusive lock.
CREATE TABLE transition_delta (
    subqueue_id int NOT NULL,
    transition job_transition NOT NULL,
    n int NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

CREATE TABLE transition_total (
    subqueue_id int NOT NULL,
    transition job_transition NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (subqueue_id, transition)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- How many jobs took each transition, ever: exact.
CREATE VIEW transition_count AS
SELECT subqueue_id, transition, sum(n)::bigint AS n
FROM (SELECT subqueue_id, transition, n FROM transition_total
      UNION ALL
      SELECT subqueue_id, transition, n FROM transition_delta) AS counted
GROUP BY subqueue_id, transition;

-- How many jobs are in each status now: exact, and as cheap at five million jobs as at five.
CREATE VIEW depth AS
SELECT c.subqueue_id, d.status, sum(c.n * d.sign)::bigint AS n
FROM transition_count c
JOIN (SELECT transition, to_status AS status, 1 AS sign FROM state_machine WHERE to_status IS NOT NULL
      UNION ALL
      SELECT transition, from_status, -1 FROM state_machine WHERE from_status IS NOT NULL) d USING (transition)
GROUP BY c.subqueue_id, d.status;

-- Steps that nothing else tells of, append-only. What the rows of a job say by being there is not said
-- twice, so a job that succeeds writes nothing here: that it was created stands in job, that it was
-- leased in lease, how it ended in outcome, why an attempt failed in attempt_error. Whoever removes such
-- a row while the job lives on tells here what it has told, and whoever ends a job tells here what its
-- outcome does not: who wanted it, and why. An end is told by the outcome, unless the last event of the
-- job is one. The view `job_event` (0005_views.sql) puts all of them together.
CREATE TABLE event (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    leased_at timestamptz,                   -- of the attempt that this transition ends
    worker_id bigint,                        -- that had it
    transition job_transition NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent after the transition
    actor text,                              -- who, if not the worker itself
    reason text
) PARTITION BY RANGE (id);
CREATE INDEX event_id_at ON event (id, at);
