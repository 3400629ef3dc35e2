-- Leasing: which subqueues have jobs; and fair leasing, of jobs with concurrency keys and in queues with limits.
--
-- The lease statement of the worker (LeaseJobs.swift) leases from unrestricted subqueues only. When a restricted
-- subqueue has work, the worker calls `lease_fairly` instead, which leases from every subqueue, in the same order of
-- priorities. It is a function because a limit must be checked with a snapshot that is younger than the lock that
-- protects the check: each statement in a function has its own snapshot.

-- A subqueue with ready jobs.
CREATE TYPE ready_subqueue AS (
    subqueue_id int,
    priority smallint,
    queue_id int,                            -- NULL: the walk was cut after this subqueue
    keyed boolean,
    unrestricted boolean,
    seq bigint,                              -- of its first job
    ready_at timestamptz                     -- of its first job
);

-- The leasable subqueues that have ready jobs, in the order of priority and id, at most `wanted`: a skip scan over the
-- ready jobs, one index probe for each subqueue, so that neither other subqueues nor numbers of jobs cost anything. A
-- subqueue with a low-water mark is probed from its mark on.
--
-- A walk that ends early, since it has found `wanted` subqueues or has taken `steps` steps, ends with a row without
-- queue; another call continues it from there (`from_priority`, `from_subqueue`). So that the subqueues of a priority
-- take turns, a walk may skip some of them: from `next_priority` it visits only what comes after `next_subqueue`, and
-- ends with this priority. Few subqueues of given queues are all probed instead.
CREATE FUNCTION ready_subqueues(
    queues int[], excluded_types int[], from_priority smallint, from_subqueue int, next_priority smallint,
    next_subqueue int, wanted int, steps int)
RETURNS SETOF ready_subqueue
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
AS $$
BEGIN
    IF queues IS NOT NULL
       AND (SELECT count(*) FROM (SELECT FROM subqueue b WHERE b.queue_id = ANY (queues) LIMIT 101) few) <= 100 THEN
        RETURN QUERY
        SELECT b.id, b.priority, b.queue_id, b.keyed, b.unrestricted, h.seq, h.ready_at
        FROM leasable_subqueue b
        CROSS JOIN LATERAL (SELECT COALESCE((SELECT w.seq FROM low_water_mark w
                                             WHERE w.priority = b.priority AND w.subqueue_id = b.id), 0) AS mark
                            OFFSET 0) m
        CROSS JOIN LATERAL (SELECT r.seq, r.ready_at FROM ready r
                            WHERE r.priority = b.priority AND r.subqueue_id = b.id AND r.seq >= m.mark
                            ORDER BY r.seq LIMIT 1) h
        WHERE b.queue_id = ANY (queues) AND b.type_id <> ALL (excluded_types);
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE walk (subqueue_id, priority, queue_id, keyed, unrestricted, seq, ready_at, found, step,
                         has_jumped) AS (
        SELECT COALESCE(from_subqueue, 0), COALESCE(from_priority, (-32768)::smallint), NULL::int, NULL::boolean,
               NULL::boolean, NULL::bigint, NULL::timestamptz, 0, 0,
               next_priority IS NULL
               OR COALESCE((from_priority, from_subqueue) >= (next_priority, next_subqueue), false)
        UNION ALL
        SELECT CASE WHEN j.jumps THEN next_subqueue ELSE n.subqueue_id END,
               CASE WHEN j.jumps THEN next_priority ELSE n.priority END,
               b.queue_id, b.keyed, b.unrestricted, n.seq, n.ready_at,
               w.found + (b.queue_id IS NOT NULL)::int, w.step + 1, w.has_jumped OR j.jumps
        FROM walk w
        -- The next subqueue with a mark bounds the stretch of those without. The stretch is read as three ranges, since
        -- `(priority, subqueue_id) < (...)` would not end an index scan within a priority: it would read every entry
        -- below the mark.
        LEFT JOIN LATERAL (
            SELECT m.priority, m.subqueue_id, m.seq FROM low_water_mark m
            WHERE (m.priority, m.subqueue_id) > (w.priority, w.subqueue_id)
            ORDER BY m.priority, m.subqueue_id LIMIT 1) k ON true
        LEFT JOIN LATERAL (
            (SELECT r.priority, r.subqueue_id, r.seq, r.ready_at FROM ready r
             WHERE r.priority = w.priority AND r.subqueue_id > w.subqueue_id
               AND r.subqueue_id < CASE WHEN k.priority = w.priority THEN k.subqueue_id ELSE 2147483647 END
             ORDER BY r.subqueue_id, r.seq LIMIT 1)
            UNION ALL
            (SELECT r.priority, r.subqueue_id, r.seq, r.ready_at FROM ready r
             WHERE r.priority > w.priority AND r.priority < COALESCE(k.priority, 32767)
             ORDER BY r.priority, r.subqueue_id, r.seq LIMIT 1)
            UNION ALL
            (SELECT r.priority, r.subqueue_id, r.seq, r.ready_at FROM ready r
             WHERE r.priority = COALESCE(k.priority, 32767::smallint) AND r.priority > w.priority
               AND r.subqueue_id < COALESCE(k.subqueue_id, 2147483647)
             ORDER BY r.subqueue_id, r.seq LIMIT 1)
            LIMIT 1) u ON true
        LEFT JOIN LATERAL (
            SELECT r.seq, r.ready_at FROM ready r
            WHERE r.priority = k.priority AND r.subqueue_id = k.subqueue_id AND r.seq >= k.seq AND u.seq IS NULL
            ORDER BY r.seq LIMIT 1) h ON true
        CROSS JOIN LATERAL (
            SELECT COALESCE(u.priority, k.priority) AS priority, COALESCE(u.subqueue_id, k.subqueue_id) AS subqueue_id,
                   COALESCE(u.seq, h.seq) AS seq, COALESCE(u.ready_at, h.ready_at) AS ready_at) n
        CROSS JOIN LATERAL (
            SELECT NOT w.has_jumped AND (n.priority IS NULL OR n.priority >= next_priority) AS jumps) j
        LEFT JOIN LATERAL (
            SELECT s.queue_id, s.keyed, s.unrestricted FROM leasable_subqueue s
            WHERE s.id = n.subqueue_id AND n.seq IS NOT NULL AND NOT j.jumps
              AND (queues IS NULL OR s.queue_id = ANY (queues)) AND s.type_id <> ALL (excluded_types)) b ON true
        WHERE w.found < wanted AND w.step < steps
          AND (j.jumps OR n.priority IS NOT NULL
                          AND (next_priority IS NULL OR NOT w.has_jumped OR n.priority = next_priority)))
    SELECT w.subqueue_id, w.priority, w.queue_id, w.keyed, w.unrestricted, w.seq, w.ready_at
    FROM walk w WHERE w.queue_id IS NOT NULL
    UNION ALL
    SELECT w.subqueue_id, w.priority, NULL, NULL, NULL, NULL, NULL
    FROM walk w WHERE w.found >= wanted OR w.step >= steps;
END $$;

-- The functions below are in PL/pgSQL, also where one query would do: PostgreSQL keeps their plans for the session. One
-- in SQL that is not inlined is parsed and planned in each statement that calls it, which takes longer than the rest.

-- Use of a queue's rate, by the generic cell rate algorithm (GCRA): every start advances `spent_until` by
-- rate_seconds / rate_count, and it may be ahead of the clock by the burst.
CREATE TABLE queue_rate (
    queue_id int PRIMARY KEY REFERENCES queue,
    spent_until timestamptz NOT NULL
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- From when the next starts of a queue count against its rate: after the starts so far or, if a job has waited since
-- `ready_since` although it could have started, from then on. So what a late wake-up loses is made up: the average is
-- the rate. At most half the time between two starts is made up (10 ms at rates above 50 a second), so that starts
-- never follow each other much faster than the rate.
CREATE FUNCTION rate_origin(q queue, spent_until timestamptz, ready_since timestamptz, moment timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN GREATEST(spent_until, LEAST(ready_since, moment),
                moment - make_interval(secs => GREATEST(q.rate_seconds / q.rate_count / 2, 0.01)));

-- Number of starts that the rate of a queue allows now, if its first job has been ready since `ready_since`. NULL:
-- unlimited.
CREATE FUNCTION rate_capacity(q queue, ready_since timestamptz) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
DECLARE
    moment timestamptz;
    origin timestamptz;
BEGIN
    IF q.rate_count IS NULL THEN
        RETURN NULL;
    END IF;
    moment := clock_timestamp();
    SELECT rate_origin(q, r.spent_until, ready_since, moment) INTO origin FROM queue_rate r WHERE r.queue_id = q.id;
    RETURN floor(q.rate_burst + extract(epoch FROM moment - COALESCE(origin, moment)) * q.rate_count / q.rate_seconds);
END $$;

-- The instant at which the rate allows the next start.
CREATE FUNCTION next_start(q queue) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (SELECT r.spent_until - make_interval(secs => (q.rate_burst - 1) * q.rate_seconds / q.rate_count)
            FROM queue_rate r WHERE r.queue_id = q.id);
END $$;

-- Records starts against the rate of a queue.
CREATE FUNCTION spend_rate(q queue, starts int, ready_since timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO queue_rate AS r (queue_id, spent_until)
    VALUES (q.id, clock_timestamp() + make_interval(secs => starts * q.rate_seconds / q.rate_count))
    ON CONFLICT (queue_id) DO UPDATE
    SET spent_until = rate_origin(q, r.spent_until, ready_since, clock_timestamp())
                      + make_interval(secs => starts * q.rate_seconds / q.rate_count);
END $$;

-- Number of further jobs of a queue that may start now, by its leases and its rate, if its first job has been ready
-- since `ready_since`. Exact under the queue's lock.
CREATE FUNCTION queue_capacity(q queue, ready_since timestamptz) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
DECLARE
    by_leases int;
BEGIN
    IF q.max_running IS NOT NULL THEN
        by_leases := q.max_running - (SELECT count(*) FROM lease l WHERE l.queue_id = q.id);
    END IF;
    RETURN GREATEST(0, LEAST(by_leases, rate_capacity(q, ready_since), 2147483647));
END $$;

-- The next fairness keys of a fairness group, at most `wanted`: those behind `after` in the cycle of all keys, up to
-- `until`, which is the whole cycle if both are the same. A fairness key is a partition key with ready jobs in one of
-- `keyed_subqueues`, or stands for one of `unkeyed_subqueues`, by a hash of its id. The search is a skip scan: one
-- index probe per partition key, regardless of the number of its jobs. Partition keys that have reached
-- `max_running_per_key` are skipped. `subqueues` has the subqueue that a fairness key stands for; NULL: it is a
-- partition key. `keyed_seqs` has the `seq` of the first job of each of `keyed_subqueues`; they are in the conditions,
-- so that the index alone excludes dead entries.
CREATE FUNCTION next_fairness_keys(
    keyed_subqueues int[], keyed_seqs bigint[], unkeyed_subqueues int[], after bigint, until bigint,
    max_running_per_key int, wanted int, OUT fairness_keys bigint[], OUT subqueues int[])
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
DECLARE
    wraps boolean := after >= until;
BEGIN
    SELECT array_agg(o.fairness_key), array_agg(o.subqueue_id) INTO fairness_keys, subqueues
    FROM (
        SELECT t.fairness_key, t.subqueue_id
        FROM (
            SELECT hashint8extended(u.id, 0) AS fairness_key, u.id AS subqueue_id
            FROM unnest(unkeyed_subqueues) AS u (id)
            WHERE CASE WHEN wraps THEN hashint8extended(u.id, 0) > after OR hashint8extended(u.id, 0) <= until
                       ELSE hashint8extended(u.id, 0) > after AND hashint8extended(u.id, 0) <= until END
            UNION
            SELECT l.partition_key, NULL
            FROM unnest(keyed_subqueues, keyed_seqs) AS k (id, first_seq)
            CROSS JOIN LATERAL (
                WITH RECURSIVE walk (partition_key, lap) AS (
                    SELECT after, 0
                    UNION ALL
                    SELECT n.partition_key, n.lap
                    FROM walk r
                    CROSS JOIN LATERAL (
                        SELECT y.partition_key, y.lap
                        FROM ((SELECT partition_key, r.lap FROM ready
                               WHERE subqueue_id = k.id AND partition_key > r.partition_key AND seq >= k.first_seq
                                 AND partition_key <= CASE WHEN wraps AND r.lap = 0 THEN 9223372036854775807
                                                           ELSE until END
                               ORDER BY partition_key LIMIT 1)
                              UNION ALL
                              (SELECT partition_key, 1 FROM ready
                               WHERE wraps AND r.lap = 0 AND subqueue_id = k.id AND partition_key <= until
                                 AND seq >= k.first_seq
                               ORDER BY partition_key LIMIT 1)) y
                        LIMIT 1) n)
                SELECT g.partition_key
                FROM (SELECT partition_key FROM walk OFFSET 1) g
                WHERE max_running_per_key IS NULL
                   OR max_running_per_key > (SELECT count(*) FROM lease e WHERE e.partition_key = g.partition_key)
                LIMIT wanted) l) t
        ORDER BY t.fairness_key <= after, t.fairness_key
        LIMIT wanted) o;
END $$;

-- Of fairness keys that were just served, those that have more ready jobs. `keyed_seqs` and `unkeyed_seqs` belong to
-- the subqueues before them.
CREATE FUNCTION unserved_fairness_keys(
    served_keys bigint[], served_subqueues int[], of_priority smallint, keyed_subqueues int[], keyed_seqs bigint[],
    unkeyed_subqueues int[], unkeyed_seqs bigint[], max_running_per_key int,
    OUT fairness_keys bigint[], OUT subqueues int[])
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
AS $$
BEGIN
    SELECT array_agg(t.fairness_key), array_agg(t.subqueue_id) INTO fairness_keys, subqueues
    FROM unnest(served_keys, served_subqueues) AS t (fairness_key, subqueue_id)
    WHERE CASE
        WHEN t.subqueue_id IS NULL THEN
            EXISTS (SELECT FROM unnest(keyed_subqueues, keyed_seqs) AS k (id, first_seq)
                    CROSS JOIN LATERAL (
                        SELECT FROM ready
                        WHERE subqueue_id = k.id AND partition_key = t.fairness_key AND seq >= k.first_seq
                        LIMIT 1) r)
            AND (max_running_per_key IS NULL
                 OR max_running_per_key > (SELECT count(*) FROM lease e WHERE e.partition_key = t.fairness_key))
        ELSE
            EXISTS (SELECT FROM ready
                    WHERE priority = of_priority AND subqueue_id = t.subqueue_id
                      AND seq >= unkeyed_seqs[array_position(unkeyed_subqueues, t.subqueue_id)])
        END;
END $$;

-- Leases up to `wanted` jobs for a worker.
--
-- The subqueues with ready jobs are taken in windows (`ready_subqueues`), until the jobs suffice or eight windows have
-- been seen.
--
-- Groups: at each priority, every limited queue is a fairness group, and all other queues together are one. In a window
-- the group whose first job has waited longest comes first. A limited queue is checked and leased from under a lock
-- that is held until the commit, so its limits are exact under any concurrency. The locks of the first window are taken
-- in the order of the queues, those of later ones only if they are free, and only where there seems to be capacity.
--
-- Round-robin: within a group, each concurrency key is served in turn, and so are the jobs without a key, those of each
-- subqueue together. The fairness keys form a cycle. The worker passes the key it served last in each group, by
-- `fairness_groups` and `after`; `start` applies to the groups that are not among them.
--
-- The result has a row for each job, with its `fairness_group` and `fairness_key`, and with `limited_queue` if its end
-- frees a slot of a limited queue. A row without an id is a note:
--
--     limited_queue, ready_at    the rate of the queue allows the next start then
--     limited_queue              more jobs of the queue could start than were wanted
--     subqueue_id, attempt       the walk was cut after this subqueue, of the priority `attempt`
--     nothing                    only unrestricted subqueues had work
CREATE FUNCTION lease_fairly(
    queues int[], excluded_types int[], wanted int, worker bigint, lease_seconds double precision,
    from_priority smallint, from_subqueue int, next_priority smallint, next_subqueue int,
    fairness_groups bigint[], after bigint[], start bigint)
RETURNS TABLE (id uuid, token bigint, subqueue_id int, attempt smallint, max_attempts smallint,
               timeout_seconds int, ready_at timestamptz, leased_at timestamptz, payload json,
               trace_parent text, limited_queue int, fairness_group bigint, fairness_key bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    found ready_subqueue[];
    cut ready_subqueue;
    limited queue;
    head record;
    held int[] := '{}';
    passed int[] := '{}';
    part record;
    batch record;
    after_key bigint;
    cycle_end bigint;
    served_keys bigint[];
    served_subqueues int[];
    new_token bigint;
    remaining int := wanted;
    in_part int;
    capacity_left int;
    keys_wanted int;
    taken int;
    misses int;
    is_restricted_work_ready boolean := false;
BEGIN
    cut.priority := from_priority;
    cut.subqueue_id := from_subqueue;
    FOR window_number IN 1..8 LOOP
        SELECT array_agg(s) INTO found
        FROM ready_subqueues(queues, excluded_types, cut.priority, cut.subqueue_id, next_priority, next_subqueue,
                             32, 256) s;
        cut := NULL;
        SELECT s.* INTO cut FROM unnest(found) s WHERE s.queue_id IS NULL;

        FOR head IN
            SELECT q AS queue, min(s.ready_at) AS since
            FROM unnest(found) s JOIN queue q ON q.id = s.queue_id
            WHERE q.limited AND q.id <> ALL (held) AND q.id <> ALL (passed)
            GROUP BY q.id ORDER BY q.id
        LOOP
            is_restricted_work_ready := true;
            limited := head.queue;
            IF queue_capacity(limited, head.since) > 0 THEN
                IF window_number = 1 THEN
                    -- Only other leases hold it, for milliseconds each: worth a longer wait than that of the session.
                    PERFORM set_config('lock_timeout', '1s', true);
                    PERFORM pg_advisory_xact_lock('lease_gate'::regclass::oid::int, limited.id);
                ELSIF NOT pg_try_advisory_xact_lock('lease_gate'::regclass::oid::int, limited.id) THEN
                    CONTINUE;
                END IF;
                held := held || limited.id;
            ELSE
                passed := passed || limited.id;
                IF rate_capacity(limited, head.since) <= 0 THEN
                    limited_queue := limited.id;
                    ready_at := next_start(limited);
                    leased_at := clock_timestamp();
                    RETURN NEXT;
                END IF;
            END IF;
        END LOOP;

        FOR part IN
            SELECT s.priority, l.queue_id,
                   (COALESCE(l.queue_id, 0)::bigint << 16) + s.priority + 32768 AS fairness_group,
                   COALESCE(array_agg(s.subqueue_id ORDER BY s.seq) FILTER (WHERE s.keyed), '{}') AS keyed,
                   COALESCE(array_agg(s.seq ORDER BY s.seq) FILTER (WHERE s.keyed), '{}') AS keyed_seqs,
                   COALESCE(array_agg(s.subqueue_id ORDER BY s.seq) FILTER (WHERE NOT s.keyed), '{}') AS unkeyed,
                   array_agg(s.seq ORDER BY s.seq) FILTER (WHERE NOT s.keyed) AS unkeyed_seqs,
                   min(s.ready_at) AS ready_since
            FROM unnest(found) s
            JOIN queue q ON q.id = s.queue_id
            CROSS JOIN LATERAL (SELECT CASE WHEN q.limited THEN q.id END AS queue_id) l
            WHERE NOT q.limited OR q.id = ANY (held)
            GROUP BY s.priority, l.queue_id
            ORDER BY s.priority, min(s.seq)
        LOOP
            is_restricted_work_ready := is_restricted_work_ready OR part.queue_id IS NOT NULL OR part.keyed <> '{}';
            CONTINUE WHEN remaining = 0 AND part.queue_id IS NULL;
            SELECT q.* INTO limited FROM queue q WHERE q.id = part.queue_id;
            limited_queue := part.queue_id;
            capacity_left := CASE WHEN part.queue_id IS NULL THEN remaining
                                  ELSE queue_capacity(limited, part.ready_since) END;
            in_part := LEAST(remaining, capacity_left);
            -- In a large batch each fairness key gets four jobs, which saves probes and causes no noticeable delay.
            -- When all keys of the cycle have been served, those that have more share the rest of the batch.
            after_key := COALESCE(after[array_position(fairness_groups, part.fairness_group)], start);
            cycle_end := after_key;
            keys_wanted := CASE WHEN in_part < 100 THEN in_part ELSE in_part / 4 END;
            misses := 0;
            served_keys := '{}';
            served_subqueues := '{}';
            WHILE in_part > 0 AND misses < 4 LOOP
                IF cycle_end IS NOT NULL THEN
                    SELECT * INTO batch
                    FROM next_fairness_keys(part.keyed, part.keyed_seqs, part.unkeyed, after_key, cycle_end,
                                            limited.max_running_per_key, keys_wanted);
                    after_key := COALESCE(batch.fairness_keys[cardinality(batch.fairness_keys)], after_key);
                    IF COALESCE(cardinality(batch.fairness_keys), 0) < keys_wanted OR after_key = cycle_end THEN
                        cycle_end := NULL;
                    END IF;
                    CONTINUE WHEN batch.fairness_keys IS NULL;
                ELSE
                    SELECT * INTO batch
                    FROM unserved_fairness_keys(
                        served_keys, served_subqueues, part.priority, part.keyed, part.keyed_seqs, part.unkeyed,
                        part.unkeyed_seqs, limited.max_running_per_key);
                    EXIT WHEN batch.fairness_keys IS NULL;
                    served_keys := '{}';
                    served_subqueues := '{}';
                END IF;
                new_token := COALESCE(new_token, next_token('lease_token'));
                RETURN QUERY
                WITH picked AS MATERIALIZED (
                    DELETE FROM ready WHERE ctid = ANY (ARRAY(
                        SELECT r.at
                        FROM unnest(batch.fairness_keys, batch.subqueues) AS t (fairness_key, subqueue_id)
                        CROSS JOIN LATERAL (
                            SELECT GREATEST(1, in_part / cardinality(batch.fairness_keys)) AS most OFFSET 0) e
                        CROSS JOIN LATERAL (
                            (SELECT x.at
                             FROM unnest(part.keyed, part.keyed_seqs) AS k (id, first_seq)
                             CROSS JOIN LATERAL (
                                 SELECT ctid AS at FROM ready
                                 WHERE subqueue_id = k.id AND partition_key = t.fairness_key
                                   AND seq >= k.first_seq AND t.subqueue_id IS NULL
                                 ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x
                             LIMIT LEAST(e.most, CASE WHEN limited.max_running_per_key IS NOT NULL THEN GREATEST(
                                 0, limited.max_running_per_key
                                    - (SELECT count(*) FROM lease l WHERE l.partition_key = t.fairness_key)) END))
                            UNION ALL
                            (SELECT x.at
                             FROM (SELECT part.unkeyed_seqs[array_position(part.unkeyed, t.subqueue_id)]
                                              AS first_seq
                                   WHERE t.subqueue_id IS NOT NULL OFFSET 0) b
                             CROSS JOIN LATERAL (
                                 SELECT ctid AS at FROM ready
                                 WHERE priority = part.priority AND subqueue_id = t.subqueue_id
                                   AND seq >= b.first_seq
                                 ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x)) r
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
                       p.ready_at, m.at, inline_payload(j.payload), j.trace_parent, part.queue_id, part.fairness_group,
                       COALESCE(p.partition_key, hashint8extended(p.subqueue_id, 0))
                FROM picked p
                JOIN job j ON j.id = ANY (ARRAY[p.id])
                CROSS JOIN moment m;
                GET DIAGNOSTICS taken = ROW_COUNT;
                in_part := in_part - taken;
                remaining := remaining - taken;
                capacity_left := capacity_left - taken;
                IF taken > 0 AND limited.rate_count IS NOT NULL THEN
                    PERFORM spend_rate(limited, taken, part.ready_since);
                END IF;
                -- Nothing to take: other workers hold the rows.
                misses := CASE WHEN taken > 0 THEN 0 ELSE misses + 1 END;
                served_keys := served_keys || batch.fairness_keys;
                served_subqueues := served_subqueues || batch.subqueues;
                keys_wanted := GREATEST(1, in_part);
            END LOOP;
            CONTINUE WHEN part.queue_id IS NULL;
            IF rate_capacity(limited, part.ready_since) <= 0 THEN
                ready_at := next_start(limited);
                leased_at := clock_timestamp();
                RETURN NEXT;
            ELSIF remaining = 0 AND capacity_left > 0
                  AND (SELECT fairness_keys
                       FROM next_fairness_keys(part.keyed, part.keyed_seqs, part.unkeyed, after_key, after_key,
                                               limited.max_running_per_key, 1)) IS NOT NULL THEN
                ready_at := NULL;
                RETURN NEXT;
            END IF;
        END LOOP;
        EXIT WHEN remaining = 0 OR cut.subqueue_id IS NULL;
    END LOOP;

    limited_queue := NULL;
    ready_at := NULL;
    IF NOT is_restricted_work_ready THEN
        RETURN NEXT;
    END IF;
    IF cut.subqueue_id IS NOT NULL THEN
        subqueue_id := cut.subqueue_id;
        attempt := cut.priority;
        RETURN NEXT;
    END IF;
END $$;

-- Sets the limits, the retention and the takeover of a queue, and returns it; creates the queue if it does not exist.
-- NULL sets no limit. No lease that begins after the commit exceeds the limits, and running jobs count.
CREATE FUNCTION configure_queue(
    queue_name text, max_running int, max_running_per_key int, rate_count int, rate_seconds double precision,
    rate_burst int, succeeded_hours int, failed_hours int, cancelled_hours int, keeps_leases boolean DEFAULT false)
RETURNS queue
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
    changed queue;
    previous queue;
BEGIN
    -- The row of the queue is locked before the gate: a transaction that holds it (`enqueue` with a new type) must not
    -- make the leases of all queues wait.
    -- A queue that was removed between the two statements is created again.
    LOOP
        INSERT INTO queue (name) VALUES (queue_name) ON CONFLICT DO NOTHING;
        SELECT q.* INTO previous FROM queue q WHERE q.name = queue_name FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    LOCK TABLE lease_gate IN EXCLUSIVE MODE;
    UPDATE queue q
    SET (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours, failed_hours,
         cancelled_hours, keeps_leases)
        = ROW (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours,
               failed_hours, cancelled_hours, keeps_leases)
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
    -- The starts that the old rate has not worked off yet count against the new one, up to its burst.
    IF changed.rate_count IS NULL THEN
        DELETE FROM queue_rate r WHERE r.queue_id = changed.id;
    ELSIF previous.rate_count IS NOT NULL THEN
        UPDATE queue_rate r
        SET spent_until = m.at + make_interval(secs => changed.rate_seconds / changed.rate_count * LEAST(
                changed.rate_burst,
                extract(epoch FROM r.spent_until - m.at) * previous.rate_count / previous.rate_seconds))
        FROM (SELECT clock_timestamp() AS at) m
        WHERE r.queue_id = changed.id AND r.spent_until > m.at;
    END IF;
    RETURN changed;
END $$;
