-- One row per job with its status, for people and for SQL. Each branch has a constant status, so a condition on status
-- leaves only the tables that hold such jobs. A condition on id reaches every branch. Names are outer joins, although
-- they always exist: the planner drops an outer join on a unique key when its columns are not selected, as in count(*).

CREATE VIEW jobs AS
SELECT j.id, s.status, q.name AS queue, t.name AS type, b.priority, s.attempt,
       GREATEST(j.max_attempts, s.attempt + s.further)::smallint AS max_attempts,
       j.created_at, COALESCE(s.run_at, j.run_at, j.created_at) AS run_at,
       s.started_at, s.finished_at, w.name AS worker, s.worker_id, s.lease_token,
       s.lease_expires_at, j.timeout_seconds, j.unique_key, j.concurrency_key, j.tags,
       j.trace_parent, j.payload, s.result,
       (SELECT e.error FROM attempt_error e WHERE e.id = j.id ORDER BY e.attempt DESC LIMIT 1) AS last_error
FROM (
    SELECT id, subqueue_id, 'queued'::job_status AS status, attempt, 1 AS further, NULL::timestamptz AS run_at,
           NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at,
           NULL::bigint AS worker_id, NULL::bigint AS lease_token,
           NULL::timestamptz AS lease_expires_at, NULL::json AS result
    FROM ready
    UNION ALL
    SELECT id, subqueue_id, 'scheduled', attempt, 1, run_at, NULL, NULL, NULL, NULL, NULL, NULL
    FROM scheduled
    UNION ALL
    SELECT id, subqueue_id, 'running', attempt, 0, NULL, leased_at, NULL, worker_id, token, expires_at, NULL
    FROM lease WHERE cancel_requested_at IS NULL
    UNION ALL
    SELECT id, subqueue_id, 'ending', attempt, 0, NULL, leased_at, NULL, worker_id, token, expires_at, NULL
    FROM lease WHERE cancel_requested_at IS NOT NULL
    UNION ALL
    SELECT id, subqueue_id, status, attempt, 0, NULL, started_at, finished_at, worker_id, token, NULL, result
    FROM outcome
) s
JOIN job j ON j.id = s.id AND j.subqueue_id = s.subqueue_id
LEFT JOIN subqueue b ON b.id = j.subqueue_id
LEFT JOIN queue q ON q.id = b.queue_id
LEFT JOIN type t ON t.id = b.type_id
LEFT JOIN worker w ON w.id = s.worker_id;

-- The message of an error as text. JSON can hold NUL and text cannot, so NUL becomes U+FFFD.
CREATE FUNCTION error_message(error json) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(error::text, '\u0000', '\ufffd')::json ->> 'message';

-- Every transition of a job, from its rows and from the table `event`. Query one job (WHERE id = ...), and sort by (at,
-- transition). A lease is also recorded by the row that ends it, with the same values, hence the UNION. Outcomes are
-- found by the subqueue of their job, which leads their key. `from_status` is the result of the previous transition.
CREATE VIEW job_event AS
SELECT h.id, h.at,
       COALESCE(lag(c.to_status) OVER (PARTITION BY h.id ORDER BY h.at, h.transition), c.from_status) AS from_status,
       c.to_status, h.transition, h.attempt, h.worker_id, w.name AS worker, h.actor,
       COALESCE(h.reason, error_message(f.error)) AS reason
FROM (
    SELECT id, created_at AS at,
           CASE WHEN run_at > created_at THEN 'delayed' ELSE 'enqueued' END::job_transition AS transition,
           0::smallint AS attempt, NULL::bigint AS worker_id, NULL::text AS actor, NULL::text AS reason
    FROM job
    UNION ALL
    SELECT id, at, transition, attempt, worker_id, actor, reason FROM event
    UNION ALL
    (SELECT id, leased_at, 'leased'::job_transition, (attempt + (transition IN ('snoozed', 'released'))::int)::smallint,
            worker_id, NULL, NULL
     FROM event WHERE leased_at IS NOT NULL
     UNION
     SELECT id, leased_at, 'leased', attempt, worker_id, NULL, NULL FROM lease
     UNION
     SELECT j.id, o.started_at, 'leased', o.attempt, o.worker_id, NULL, NULL
     FROM job j
     CROSS JOIN LATERAL (SELECT * FROM outcome WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) o
     WHERE o.started_at IS NOT NULL)
    UNION ALL
    SELECT j.id, o.finished_at,
           CASE WHEN o.status <> 'cancelled' THEN o.status::text
                WHEN o.token IS NULL THEN 'cancelled_queued' ELSE 'cancelled_running' END::job_transition,
           o.attempt, o.worker_id, NULL, NULL
    FROM job j
    CROSS JOIN LATERAL (SELECT * FROM outcome WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) o
    WHERE o.status IS DISTINCT FROM (
        SELECT c.to_status FROM event e JOIN state_machine c ON c.transition = e.transition
        WHERE e.id = j.id ORDER BY e.at DESC LIMIT 1)
) h
JOIN state_machine c ON c.transition = h.transition
LEFT JOIN worker w ON w.id = h.worker_id
LEFT JOIN attempt_error f
    ON f.id = h.id AND f.attempt = h.attempt
       AND h.transition IN ('failed', 'retried_now', 'retried_later', 'reclaimed', 'reclaimed_failed', 'abandoned');

-- The first ready job of each subqueue that has one, by the low-water marks. For reports, with a condition on the
-- subqueue: one index probe for each.
CREATE VIEW ready_head AS
SELECT b.id AS subqueue_id, h.seq, h.ready_at
FROM subqueue b
CROSS JOIN LATERAL (SELECT seq, ready_at FROM ready
                    WHERE priority = b.priority AND subqueue_id = b.id
                      AND seq >= low_water_mark_of(b.priority, b.id) ORDER BY seq LIMIT 1) h;
