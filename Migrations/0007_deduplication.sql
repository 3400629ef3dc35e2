-- Deduplication: one job per unique key, and one result per Idempotency-Key.
--
-- Both work in the same way. INSERT ... ON CONFLICT lets one of several concurrent transactions through, and makes the
-- others wait for its commit. `DO UPDATE ... WHERE false` then only locks the row. The next decision uses a snapshot
-- that is younger than the lock, because each statement in a function has its own. So nothing is inferred from the
-- absence of a row in a snapshot. Keys are visited in their order, so transactions cannot deadlock.

-- The job that holds a unique key of a type. It holds the key until `expires_at` or, without one, until it ends; the
-- next job with the key then takes over the row. The row is removed with its job.
CREATE TABLE unique_key_holder (
    type_id int NOT NULL,
    key text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    subqueue_id int NOT NULL,                -- of the job, to find its outcome
    expires_at timestamptz,                  -- NULL: until the job ends
    PRIMARY KEY (type_id, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX unique_key_holder_id ON unique_key_holder (id);     -- retention

-- Takes the key of each job if it is free. Afterwards the row of each key names its holder, and is locked. Of several
-- jobs with one key the first takes it. A job that holds its key only by a time that has passed, and now needs it until
-- it ends (a retry), takes it again.
CREATE FUNCTION hold_unique_keys(moment timestamptz, jobs uuid[], subqueues int[], keys text[], ends timestamptz[])
RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO unique_key_holder AS c (type_id, key, id, subqueue_id, expires_at)
    SELECT DISTINCT ON (b.type_id, w.key COLLATE "C") b.type_id, w.key, w.id, w.subqueue_id, w.expires_at
    FROM unnest(jobs, subqueues, keys, ends) WITH ORDINALITY AS w (id, subqueue_id, key, expires_at, ordinal)
    JOIN subqueue b ON b.id = ANY (ARRAY[w.subqueue_id])
    ORDER BY b.type_id, w.key COLLATE "C", w.ordinal
    ON CONFLICT (type_id, key) DO UPDATE SET id = c.id WHERE false;

    UPDATE unique_key_holder c
    SET id = w.id, subqueue_id = w.subqueue_id, expires_at = w.expires_at
    FROM (SELECT DISTINCT ON (b.type_id, g.key COLLATE "C") b.type_id, g.*
          FROM unnest(jobs, subqueues, keys, ends) WITH ORDINALITY AS g (id, subqueue_id, key, expires_at, ordinal)
          JOIN subqueue b ON b.id = ANY (ARRAY[g.subqueue_id])
          ORDER BY b.type_id, g.key COLLATE "C", g.ordinal) w
    WHERE c.type_id = ANY (ARRAY[w.type_id]) AND c.key = ANY (ARRAY[w.key])
      AND (c.id <> w.id OR w.expires_at IS NULL)
      AND CASE WHEN c.expires_at IS NOT NULL THEN c.expires_at <= moment
               ELSE EXISTS (SELECT FROM outcome o WHERE o.subqueue_id = c.subqueue_id AND o.id = c.id) END;
END $$;

-- Of failed or cancelled jobs, returns those that must not be retried because another job holds their unique key now.
-- The other jobs hold their keys again afterwards.
CREATE FUNCTION conflicting_jobs(jobs uuid[]) RETURNS TABLE (id uuid, conflicting_id uuid)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    named record;
BEGIN
    SELECT array_agg(j.id) AS ids, array_agg(j.subqueue_id) AS subqueues, array_agg(j.unique_key) AS keys,
           array_agg(NULL::timestamptz) AS ends
    INTO named
    FROM unnest(jobs) AS g (id)
    JOIN job j ON j.id = ANY (ARRAY[g.id])
    CROSS JOIN LATERAL (SELECT o.status FROM outcome o WHERE o.subqueue_id = j.subqueue_id AND o.id = j.id OFFSET 0) e
    WHERE j.unique_key IS NOT NULL AND e.status <> 'succeeded';
    IF named.ids IS NULL THEN
        RETURN;
    END IF;
    PERFORM hold_unique_keys(clock_timestamp(), named.ids, named.subqueues, named.keys, named.ends);
    RETURN QUERY
    SELECT n.id, c.id
    FROM unnest(named.ids, named.subqueues, named.keys) AS n (id, subqueue_id, key)
    JOIN subqueue b ON b.id = ANY (ARRAY[n.subqueue_id])
    JOIN unique_key_holder c ON c.type_id = ANY (ARRAY[b.type_id]) AND c.key = ANY (ARRAY[n.key])
    WHERE c.id <> n.id;
END $$;

-- Requests with an Idempotency-Key of the last 24 hours. The response is a function of the body and of this row, so it
-- is not stored.
CREATE TABLE idempotency_key (
    key text COLLATE "C" PRIMARY KEY,
    digest bytea NOT NULL,                   -- SHA-256 of the operation and the body
    request_id uuid NOT NULL,                -- id drawn for its first job; distinguishes requests
    created_at timestamptz NOT NULL,
    trace_parent text,
    ids uuid[],                              -- of the response, in order
    existed boolean[]                        -- whether each job existed before
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);     -- the reaper

-- Decides which of the requested jobs are new, and the result of each. All arrays have one element per job; the jobs of
-- one request are adjacent, `places` numbers them from 1, and `request_ids` identifies the request by its first job.
-- The result arrays are in the same order:
--
--     is_new      to be inserted now, with its own id
--     ids         id of the result; NULL where is_other
--     created_at  when it was created; NULL if the job existed
--     existed     another job held its unique key
--     traced      its trace_parent
--     is_other    its idempotency key belongs to a different request
--
-- It may be called again with the same ids when the outcome of the first call is unknown: it waits for the locks of
-- that call, and finds its jobs.
CREATE FUNCTION deduplicate_jobs(
    moment timestamptz, jobs uuid[], subqueues int[], trace_parents text[], unique_keys text[], unique_seconds int[],
    request_keys text[], digests bytea[], request_ids uuid[], places int[],
    OUT is_new boolean[], OUT ids uuid[], OUT created_at timestamptz[], OUT existed boolean[], OUT traced text[],
    OUT is_other boolean[])
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
    won boolean[];
BEGIN
    INSERT INTO idempotency_key AS k (key, digest, request_id, created_at, trace_parent)
    SELECT DISTINCT ON (r.key COLLATE "C") r.key, r.digest, r.request_id, moment, r.trace_parent
    FROM unnest(request_keys, digests, request_ids, trace_parents) WITH ORDINALITY
        AS r (key, digest, request_id, trace_parent, ordinal)
    WHERE r.key IS NOT NULL
    ORDER BY r.key COLLATE "C", r.ordinal
    ON CONFLICT (key) DO UPDATE
    SET digest = EXCLUDED.digest, request_id = EXCLUDED.request_id, created_at = EXCLUDED.created_at,
        trace_parent = EXCLUDED.trace_parent, ids = NULL, existed = NULL
    WHERE k.created_at <= moment - interval '24 hours';

    SELECT array_agg(r.key IS NULL OR k.request_id = r.request_id ORDER BY r.ordinal) INTO won
    FROM unnest(request_keys, request_ids) WITH ORDINALITY AS r (key, request_id, ordinal)
    LEFT JOIN LATERAL (SELECT request_id FROM idempotency_key WHERE key = r.key OFFSET 0) k ON true;

    PERFORM hold_unique_keys(
        moment, array_agg(w.id ORDER BY w.ordinal), array_agg(w.subqueue_id ORDER BY w.ordinal),
        array_agg(w.key ORDER BY w.ordinal), array_agg(moment + make_interval(secs => w.seconds) ORDER BY w.ordinal))
    FROM unnest(jobs, subqueues, unique_keys, unique_seconds, won) WITH ORDINALITY
        AS w (id, subqueue_id, key, seconds, won, ordinal)
    WHERE w.key IS NOT NULL AND w.won
    HAVING count(*) > 0;

    SELECT array_agg(w.won AND j.created_at IS NULL AND COALESCE(c.id = w.id, true) ORDER BY w.ordinal),
           array_agg(COALESCE(c.id, w.id) ORDER BY w.ordinal),
           array_agg(CASE WHEN c.id IS NULL OR c.id = w.id THEN COALESCE(j.created_at, moment) END ORDER BY w.ordinal),
           array_agg(COALESCE(c.id <> w.id, false) ORDER BY w.ordinal),
           trace_parents, array_agg(false)
    INTO is_new, ids, created_at, existed, traced, is_other
    FROM unnest(jobs, subqueues, unique_keys, won) WITH ORDINALITY AS w (id, subqueue_id, key, won, ordinal)
    JOIN subqueue b ON b.id = ANY (ARRAY[w.subqueue_id])
    LEFT JOIN LATERAL (SELECT id FROM unique_key_holder WHERE type_id = b.type_id AND key = w.key OFFSET 0) c ON true
    LEFT JOIN LATERAL (SELECT j.created_at FROM job j WHERE j.id = w.id OFFSET 0) j ON true;

    UPDATE idempotency_key k SET ids = r.ids, existed = r.existed
    FROM (SELECT w.key, array_agg(w.id ORDER BY w.ordinal) AS ids, array_agg(w.existed ORDER BY w.ordinal) AS existed
          FROM unnest(request_keys, won, ids, existed) WITH ORDINALITY AS w (key, won, id, existed, ordinal)
          WHERE w.key IS NOT NULL AND w.won
          GROUP BY w.key) r
    WHERE k.key = ANY (ARRAY[r.key]);

    IF false = ANY (won) THEN
        SELECT array_agg(CASE WHEN w.won THEN w.id WHEN k.digest = w.digest THEN k.ids[w.place] END ORDER BY w.ordinal),
               array_agg(CASE WHEN w.won THEN w.created_at WHEN NOT k.existed[w.place] THEN k.created_at END
                         ORDER BY w.ordinal),
               array_agg(CASE WHEN w.won THEN w.existed ELSE k.existed[w.place] END ORDER BY w.ordinal),
               array_agg(CASE WHEN w.won THEN w.traced ELSE k.trace_parent END ORDER BY w.ordinal),
               array_agg(NOT w.won AND k.digest <> w.digest ORDER BY w.ordinal)
        INTO ids, created_at, existed, traced, is_other
        FROM unnest(won, ids, created_at, existed, traced, request_keys, digests, places) WITH ORDINALITY
            AS w (won, id, created_at, existed, traced, key, digest, place, ordinal)
        LEFT JOIN LATERAL (SELECT * FROM idempotency_key WHERE key = w.key OFFSET 0) k ON true;
    END IF;
END $$;
