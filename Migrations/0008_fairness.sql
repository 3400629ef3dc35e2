-- Fair leasing: jobs with concurrency keys, and queues with limits.
--
-- The lease statement of the worker (LeaseJobs.swift) leases from unrestricted subqueues only. When a restricted
-- subqueue has work, the worker calls `lease_fairly` instead, which leases from every subqueue, in the same order of
-- priorities. It is a function because a limit must be checked with a snapshot that is younger than the lock that
-- protects the check: each statement in a function has its own snapshot.

-- Use of a queue's rate, by the generic cell rate algorithm (GCRA): every start advances `spent_until` by
-- rate_seconds / rate_count, and it may be ahead of the clock by the burst.
CREATE TABLE queue_rate (
    queue_id int PRIMARY KEY REFERENCES queue,
    spent_until timestamptz NOT NULL
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- Number of starts that the rate of a queue allows now. NULL: unlimited.
CREATE FUNCTION rate_capacity(q queue) RETURNS int
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT floor(q.rate_burst - GREATEST(0, extract(epoch FROM (
               SELECT spent_until - clock_timestamp() FROM queue_rate WHERE queue_id = q.id))
           ) * q.rate_count / q.rate_seconds)::int
    WHERE q.rate_count IS NOT NULL
$$;

-- The instant at which the rate allows the next start.
CREATE FUNCTION next_start(q queue) RETURNS timestamptz
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT spent_until - make_interval(secs => (q.rate_burst - 1) * q.rate_seconds / q.rate_count)
    FROM queue_rate WHERE queue_id = q.id
$$;

-- Records starts against the rate of a queue.
CREATE FUNCTION spend_rate(q queue, starts int) RETURNS void
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    INSERT INTO queue_rate AS r (queue_id, spent_until)
    VALUES (q.id, clock_timestamp() + make_interval(secs => starts * q.rate_seconds / q.rate_count))
    ON CONFLICT (queue_id) DO UPDATE
    SET spent_until = GREATEST(r.spent_until, clock_timestamp())
                      + make_interval(secs => starts * q.rate_seconds / q.rate_count)
$$;

-- Number of further jobs of a queue that may start now, by its leases and its rate. Exact under the queue's lock.
CREATE FUNCTION queue_capacity(q queue) RETURNS int
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT GREATEST(0, LEAST(q.max_running - (SELECT count(*)::int FROM lease WHERE queue_id = q.id),
                             rate_capacity(q), 2147483647))
$$;

-- The next fairness keys of a fairness group after the one served last, at most `wanted`. A fairness key is a partition
-- key with ready jobs in one of `keyed_subqueues`, or stands for one of `unkeyed_subqueues`, by a hash of its id. The
-- search is a skip scan: one index probe per partition key, regardless of the number of its jobs. Partition keys that
-- have reached `max_running_per_key` are skipped. `subqueues` has the subqueue that a fairness key stands for; NULL: it
-- is a partition key. The low-water mark is in the conditions, so that the index alone excludes dead entries.
CREATE FUNCTION next_fairness_keys(
    keyed_subqueues int[], unkeyed_subqueues int[], after bigint, max_running_per_key int, wanted int,
    OUT fairness_keys bigint[], OUT subqueues int[])
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT array_agg(o.fairness_key), array_agg(o.subqueue_id)
    FROM (
        SELECT t.fairness_key, t.subqueue_id
        FROM (
            SELECT hashint8extended(u.id, 0) AS fairness_key, u.id AS subqueue_id
            FROM unnest(unkeyed_subqueues) AS u (id)
            UNION
            SELECT l.partition_key, NULL
            FROM subqueue k
            CROSS JOIN LATERAL (
                WITH RECURSIVE walk (partition_key, lap) AS (
                    SELECT after, 0
                    UNION ALL
                    SELECT n.partition_key, n.lap
                    FROM walk r
                    CROSS JOIN LATERAL (
                        SELECT y.partition_key, y.lap
                        FROM ((SELECT partition_key, r.lap FROM ready
                               WHERE subqueue_id = k.id AND partition_key > r.partition_key AND seq >= k.low_water_mark
                                 AND (r.lap = 0 OR partition_key <= after)
                               ORDER BY partition_key LIMIT 1)
                              UNION ALL
                              (SELECT partition_key, 1 FROM ready
                               WHERE r.lap = 0 AND subqueue_id = k.id AND partition_key <= after
                                 AND seq >= k.low_water_mark
                               ORDER BY partition_key LIMIT 1)) y
                        LIMIT 1) n)
                SELECT g.partition_key
                FROM (SELECT partition_key FROM walk OFFSET 1) g
                WHERE max_running_per_key IS NULL
                   OR max_running_per_key > (SELECT count(*) FROM lease e WHERE e.partition_key = g.partition_key)
                LIMIT wanted) l
            WHERE k.id = ANY (keyed_subqueues)) t
        ORDER BY t.fairness_key <= after, t.fairness_key
        LIMIT wanted) o
$$;

-- Leases up to `wanted` jobs for a worker.
--
-- Groups: at each priority, every limited queue is a fairness group, and all other queues together are one. The group
-- whose first job has waited longest comes first. A limited queue is checked and leased from under a lock that is held
-- until the commit, so its limits are exact under any concurrency. The locks are taken first, in the order of the
-- queues, and only where there seems to be capacity.
--
-- Round-robin: within a group, each concurrency key is served in turn, and so are the jobs without a key, those of each
-- subqueue together. The fairness keys form a cycle. The worker passes the key it served last in each group, by
-- `fairness_groups` and `after`; `start` applies to the groups that are not among them.
--
-- The result has a row for each job, with its `fairness_group` and `fairness_key`. A row without an id says when the
-- rate of some queue allows its next start (`ready_at`) or, if it has no instant, that only unrestricted subqueues had
-- work.
CREATE FUNCTION lease_fairly(
    queues int[], excluded_types int[], wanted int, worker bigint, lease_seconds double precision,
    fairness_groups bigint[], after bigint[], start bigint)
RETURNS TABLE (id uuid, token bigint, subqueue_id int, attempt smallint, max_attempts smallint,
               timeout_seconds int, ready_at timestamptz, leased_at timestamptz, payload json,
               trace_parent text, fairness_group bigint, fairness_key bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    limited queue;
    held int[] := '{}';
    part record;
    batch record;
    new_token bigint;
    remaining int := wanted;
    in_part int;
    taken int;
    is_restricted_work_ready boolean := false;
BEGIN
    FOR limited IN
        SELECT q.* FROM queue q
        WHERE q.limited AND (queues IS NULL OR q.id = ANY (queues))
          AND EXISTS (SELECT FROM leasable_subqueue b
                      WHERE b.queue_id = q.id AND b.type_id <> ALL (excluded_types)
                        AND EXISTS (SELECT FROM ready r WHERE r.subqueue_id = b.id AND r.seq >= b.low_water_mark))
        ORDER BY q.id
    LOOP
        IF queue_capacity(limited) > 0 THEN
            -- Only other leases hold it, for milliseconds each: worth a longer wait than that of the session.
            PERFORM set_config('lock_timeout', '1s', true);
            PERFORM pg_advisory_xact_lock('lease_gate'::regclass::oid::int, limited.id);
            held := held || limited.id;
        ELSIF rate_capacity(limited) <= 0 THEN
            ready_at := next_start(limited);
            leased_at := clock_timestamp();
            RETURN NEXT;
        END IF;
    END LOOP;

    FOR part IN
        SELECT b.priority, l.queue_id, (COALESCE(l.queue_id, 0)::bigint << 16) + b.priority + 32768 AS fairness_group,
               COALESCE(array_agg(b.id ORDER BY h.seq) FILTER (WHERE b.keyed), '{}') AS keyed,
               COALESCE(array_agg(b.id) FILTER (WHERE NOT b.keyed), '{}') AS unkeyed
        FROM leasable_subqueue b
        JOIN queue q ON q.id = b.queue_id
        CROSS JOIN LATERAL (SELECT CASE WHEN q.limited THEN q.id END AS queue_id) l
        CROSS JOIN LATERAL (SELECT seq FROM ready
                            WHERE subqueue_id = b.id AND seq >= b.low_water_mark ORDER BY seq LIMIT 1) h
        WHERE (queues IS NULL OR b.queue_id = ANY (queues)) AND b.type_id <> ALL (excluded_types)
          AND (NOT q.limited OR q.id = ANY (held))
        GROUP BY b.priority, l.queue_id
        ORDER BY b.priority, min(h.seq)
    LOOP
        is_restricted_work_ready := is_restricted_work_ready OR part.queue_id IS NOT NULL OR part.keyed <> '{}';
        CONTINUE WHEN remaining = 0;
        SELECT q.* INTO limited FROM queue q WHERE q.id = part.queue_id;
        in_part := CASE WHEN part.queue_id IS NULL THEN remaining ELSE LEAST(remaining, queue_capacity(limited)) END;
        -- In a large batch each fairness key gets four jobs, which saves probes and causes no noticeable delay.
        SELECT * INTO batch
        FROM next_fairness_keys(
            part.keyed, part.unkeyed,
            COALESCE(after[array_position(fairness_groups, part.fairness_group)], start),
            limited.max_running_per_key, CASE WHEN in_part < 100 THEN in_part ELSE in_part / 4 END);
        WHILE in_part > 0 AND batch.fairness_keys IS NOT NULL LOOP
            new_token := COALESCE(new_token, nextval('lease_token'));
            RETURN QUERY
            WITH picked AS MATERIALIZED (
                DELETE FROM ready WHERE ctid = ANY (ARRAY(
                    SELECT r.at
                    FROM unnest(batch.fairness_keys, batch.subqueues) AS t (fairness_key, subqueue_id)
                    CROSS JOIN LATERAL (
                        SELECT GREATEST(1, in_part / cardinality(batch.fairness_keys)) AS most OFFSET 0) e
                    CROSS JOIN LATERAL (
                        (SELECT x.at
                         FROM unnest(part.keyed) AS k (id)
                         JOIN subqueue b ON b.id = k.id
                         CROSS JOIN LATERAL (
                             SELECT ctid AS at FROM ready
                             WHERE subqueue_id = k.id AND partition_key = t.fairness_key
                               AND seq >= b.low_water_mark AND t.subqueue_id IS NULL
                             ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x
                         LIMIT LEAST(e.most, CASE WHEN limited.max_running_per_key IS NOT NULL THEN GREATEST(
                             0, limited.max_running_per_key
                                - (SELECT count(*) FROM lease l WHERE l.partition_key = t.fairness_key)) END))
                        UNION ALL
                        (SELECT x.at
                         FROM subqueue b
                         CROSS JOIN LATERAL (
                             SELECT ctid AS at FROM ready
                             WHERE subqueue_id = b.id AND seq >= b.low_water_mark
                             ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x
                         WHERE b.id = t.subqueue_id)) r
                    LIMIT in_part))
                RETURNING ready.id, ready.ready_at, ready.subqueue_id, ready.attempt, ready.partition_key),
            moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
            leased AS (
                INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt, queue_id,
                                   partition_key)
                SELECT p.id, new_token, worker, m.at, m.at + make_interval(secs => lease_seconds), p.subqueue_id,
                       p.attempt + 1, part.queue_id, p.partition_key
                FROM picked p, moment m),
            delta_rows AS (
                INSERT INTO transition_delta (subqueue_id, transition, n)
                SELECT p.subqueue_id, 'leased', count(*) FROM picked p GROUP BY p.subqueue_id)
            SELECT p.id, new_token, p.subqueue_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
                   p.ready_at, m.at, j.payload, j.trace_parent, part.fairness_group,
                   COALESCE(p.partition_key, hashint8extended(p.subqueue_id, 0))
            FROM picked p
            JOIN job j ON j.id = ANY (ARRAY[p.id])
            CROSS JOIN moment m;
            GET DIAGNOSTICS taken = ROW_COUNT;
            EXIT WHEN taken = 0;
            in_part := in_part - taken;
            remaining := remaining - taken;
            IF limited.rate_count IS NOT NULL THEN
                PERFORM spend_rate(limited, taken);
            END IF;
        END LOOP;
        IF rate_capacity(limited) <= 0 THEN
            ready_at := next_start(limited);
            leased_at := clock_timestamp();
            RETURN NEXT;
        END IF;
    END LOOP;

    IF NOT is_restricted_work_ready THEN
        ready_at := NULL;
        RETURN NEXT;
    END IF;
END $$;

-- Sets the limits and the retention of a queue, and returns it; creates the queue if it does not exist. NULL sets no
-- limit. No lease that begins after the commit exceeds the limits, and running jobs count.
CREATE FUNCTION configure_queue(
    queue_name text, max_running int, max_running_per_key int, rate_count int, rate_seconds double precision,
    rate_burst int, succeeded_hours int, failed_hours int, cancelled_hours int)
RETURNS queue
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
    changed queue;
BEGIN
    -- The row of the queue is locked before the gate: a transaction that holds it (`enqueue` with a new type) must not
    -- make the leases of all queues wait.
    INSERT INTO queue (name) VALUES (queue_name) ON CONFLICT DO NOTHING;
    PERFORM FROM queue q WHERE q.name = queue_name FOR NO KEY UPDATE;
    LOCK TABLE lease_gate IN EXCLUSIVE MODE;
    UPDATE queue q
    SET (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours, failed_hours,
         cancelled_hours)
        = ROW (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours,
               failed_hours, cancelled_hours)
    WHERE q.name = queue_name
    RETURNING q.* INTO changed;

    PERFORM FROM subqueue b WHERE b.queue_id = changed.id ORDER BY b.id FOR UPDATE;
    UPDATE subqueue b SET unrestricted = NOT (b.keyed OR changed.limited)
    WHERE b.queue_id = changed.id AND b.unrestricted <> (NOT (b.keyed OR changed.limited));

    IF changed.limited THEN
        PERFORM FROM lease l JOIN subqueue b ON b.id = l.subqueue_id
        WHERE b.queue_id = changed.id AND l.queue_id IS NULL ORDER BY l.id FOR NO KEY UPDATE OF l;
        UPDATE lease l SET queue_id = changed.id
        FROM subqueue b WHERE b.id = l.subqueue_id AND b.queue_id = changed.id AND l.queue_id IS NULL;
    END IF;
    IF changed.rate_count IS NULL THEN
        DELETE FROM queue_rate r WHERE r.queue_id = changed.id;
    END IF;
    RETURN changed;
END $$;
