-- Transitions: every change of a job's state is one of these. It is counted, and recorded as an event or by a row.
--
-- Depths and totals need no counting of jobs. Each statement that moves jobs also inserts into `transition_delta`, in
-- the same transaction, how many jobs took which transition: one row per statement, subqueue and transition, so that no
-- transaction waits for another. The reaper rolls these rows up into `transition_total`, by subqueue, and in the same
-- statement into `queue_transition_total`, by queue, so that no report sums up subqueues. Both only grow. The sum of
-- the rolled-up rows and the others, read in one snapshot, is exact.

CREATE TYPE job_transition AS ENUM (
    'enqueued', 'delayed', 'promoted', 'leased',
    'succeeded', 'failed', 'retried_now', 'retried_later', 'snoozed', 'released',
    'reclaimed', 'reclaimed_failed',
    'cancelled_queued', 'cancelled_scheduled', 'cancel_requested', 'completed_before_cancel', 'cancelled_running',
    'failed_retried', 'cancelled_retried', 'failed_redriven', 'cancelled_redriven', 'abandoned',
    'removed_succeeded', 'removed_failed', 'removed_cancelled');

-- The transitions between states. NULL: the job does not exist yet, or no longer.
CREATE TABLE state_machine (
    transition job_transition PRIMARY KEY,
    from_status job_status,
    to_status job_status,
    meaning text NOT NULL
);
INSERT INTO state_machine (transition, from_status, to_status, meaning) VALUES
    ('enqueued', NULL, 'queued', 'created, may run at once'),
    ('delayed', NULL, 'scheduled', 'created with a later run_at'),
    ('promoted', 'scheduled', 'queued', 'its run_at has come, or an operator made it run at once'),
    ('leased', 'queued', 'running', 'leased by a worker'),
    ('succeeded', 'running', 'succeeded', 'the attempt succeeded'),
    ('failed', 'running', 'failed', 'failed permanently, or out of attempts'),
    ('retried_now', 'running', 'queued', 'the attempt failed; the next one may start at once'),
    ('retried_later', 'running', 'scheduled', 'the attempt failed; the next one waits'),
    ('snoozed', 'running', 'scheduled', 'the handler postponed it; no attempt spent'),
    ('released', 'running', 'queued', 'released unfinished by its worker; no attempt spent'),
    ('reclaimed', 'running', 'scheduled', 'its lease expired or its worker died; attempt spent'),
    ('reclaimed_failed', 'running', 'failed', 'the same during the last attempt'),
    ('cancelled_queued', 'queued', 'cancelled', 'cancelled while queued'),
    ('cancelled_scheduled', 'scheduled', 'cancelled', 'cancelled while scheduled'),
    ('cancel_requested', 'running', 'ending', 'a cancellation was requested while it ran'),
    ('completed_before_cancel', 'ending', 'running', 'ended by itself after the request; then succeeded or failed'),
    ('cancelled_running', 'ending', 'cancelled', 'stopped on request, lease expired, or ended by the watchdog'),
    ('failed_retried', 'failed', 'queued', 'retried on request'),
    ('cancelled_retried', 'cancelled', 'queued', 'retried on request'),
    ('failed_redriven', 'failed', 'scheduled', 'retried on request, at a rate'),
    ('cancelled_redriven', 'cancelled', 'scheduled', 'retried on request, at a rate'),
    ('abandoned', 'ending', 'failed', 'did not stop in time; ended by the watchdog'),
    ('removed_succeeded', 'succeeded', NULL, 'removed by retention'),
    ('removed_failed', 'failed', NULL, 'removed by retention'),
    ('removed_cancelled', 'cancelled', NULL, 'removed by retention');

-- Deliberately without an index: it is read by block range (TID range scan), which costs the writers nothing. Vacuum
-- does not truncate it, because that takes an exclusive lock.
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

-- The same by queue. The queues without a name in the metrics have a second sum, of all of them, under the id 0: the
-- metrics need no more rows than queues with names.
CREATE TABLE queue_transition_total (
    queue_id int NOT NULL,
    transition job_transition NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (queue_id, transition)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- How many jobs took each transition since the schema exists; exact.
CREATE VIEW transition_count AS
SELECT subqueue_id, transition, sum(n)::bigint AS n
FROM (SELECT subqueue_id, transition, n FROM transition_total
      UNION ALL
      SELECT subqueue_id, transition, n FROM transition_delta) AS counted
GROUP BY subqueue_id, transition;

-- How many jobs are in each status now: exact, at the same cost for five million jobs as for five.
CREATE VIEW depth AS
SELECT c.subqueue_id, d.status, sum(c.n * d.sign)::bigint AS n
FROM transition_count c
JOIN (SELECT transition, to_status AS status, 1 AS sign FROM state_machine WHERE to_status IS NOT NULL
      UNION ALL
      SELECT transition, from_status, -1 FROM state_machine WHERE from_status IS NOT NULL) d USING (transition)
GROUP BY c.subqueue_id, d.status;

-- Transitions that no other row records; append-only. The rows of a job already record its creation (job), its lease
-- (lease), its end (outcome) and its failed attempts (attempt_error), so a job that succeeds writes nothing here. A
-- statement that removes such a row while the job continues writes its content here. A statement that ends a job writes
-- here what the outcome does not hold: actor and reason. The outcome records an end, unless the last event of the job
-- is that end. The view `job_event` (0005_views.sql) combines all of them.
CREATE TABLE event (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    leased_at timestamptz,                   -- of the attempt that this transition ends
    worker_id bigint,                        -- the worker that had it
    transition job_transition NOT NULL,
    attempt smallint NOT NULL,               -- attempts spent after the transition
    actor text,                              -- NULL: the worker itself
    reason text
) PARTITION BY RANGE (id);
CREATE INDEX event_id_at ON event (id, at);
