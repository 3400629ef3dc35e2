-- Leasing by turns: jobs with concurrency keys, and queues with limits.
--
-- A plain band is leased by one statement of the worker (LeaseJobs.swift), which leaves all others
-- alone. When one of the others has work, the worker calls `lease_by_turns` instead, which leases from
-- every band, in the same order of priorities. It is a function because limits must be judged by a
-- snapshot that is younger than the lock under which they are judged: each statement in here has its own.

-- What a queue's rate has been spent up to (the generic cell rate algorithm, GCRA): every start moves
-- it by rate_seconds / rate_count, and it may be ahead of the clock by the burst.
CREATE TABLE queue_rate (
    queue_id int PRIMARY KEY REFERENCES queue,
    spent_until timestamptz NOT NULL
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

-- How many starts the rate of a queue leaves now. NULL: any number.
CREATE FUNCTION rate_room(q queue) RETURNS int
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT floor(q.rate_burst - GREATEST(0, extract(epoch FROM (
               SELECT spent_until - clock_timestamp() FROM queue_rate WHERE queue_id = q.id))
           ) * q.rate_count / q.rate_seconds)::int
    WHERE q.rate_count IS NOT NULL
$$;

-- When the rate will allow the next start.
CREATE FUNCTION next_start(q queue) RETURNS timestamptz
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT spent_until - make_interval(secs => (q.rate_burst - 1) * q.rate_seconds / q.rate_count)
    FROM queue_rate WHERE queue_id = q.id
$$;

-- So many jobs have been started.
CREATE FUNCTION spend_rate(q queue, starts int) RETURNS void
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    INSERT INTO queue_rate AS r (queue_id, spent_until)
    VALUES (q.id, clock_timestamp() + make_interval(secs => starts * q.rate_seconds / q.rate_count))
    ON CONFLICT (queue_id) DO UPDATE
    SET spent_until = GREATEST(r.spent_until, clock_timestamp())
                      + make_interval(secs => starts * q.rate_seconds / q.rate_count)
$$;

-- How many more jobs of a queue may start now, by its leases and its rate. Exact under the queue's lock.
CREATE FUNCTION queue_room(q queue) RETURNS int
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT GREATEST(0, LEAST(q.max_running - (SELECT count(*)::int FROM lease WHERE queue_id = q.id),
                             rate_room(q), 2147483647))
$$;

-- The turns that come next in a share, after the one served last, at most `wanted`: each is a lane that
-- has ready jobs in one of `keyed_bands`, or one of `other_bands`, which the ring knows by a hash of
-- its id. A skip scan: one index probe a lane, however many jobs wait in it. Lanes without room are
-- passed over. `bands` says which band a turn is; NULL: it is a lane. The low-water mark of the band is
-- in the conditions so that dead entries are told by the index alone.
CREATE FUNCTION next_turns(keyed_bands int[], other_bands int[], after bigint, max_running_per_key int, wanted int,
                           OUT turns bigint[], OUT bands int[])
LANGUAGE sql VOLATILE SET search_path FROM CURRENT
AS $$
    SELECT array_agg(o.turn), array_agg(o.band_id)
    FROM (
        SELECT t.turn, t.band_id
        FROM (
            SELECT hashint8extended(u.id, 0) AS turn, u.id AS band_id FROM unnest(other_bands) AS u (id)
            UNION
            SELECT l.lane, NULL
            FROM band k
            CROSS JOIN LATERAL (
                WITH RECURSIVE ring (lane, lap) AS (
                    SELECT after, 0
                    UNION ALL
                    SELECT n.lane, n.lap
                    FROM ring r
                    CROSS JOIN LATERAL (
                        SELECT y.lane, y.lap
                        FROM ((SELECT lane, r.lap FROM ready
                               WHERE band_id = k.id AND lane > r.lane AND seq >= k.low
                                 AND (r.lap = 0 OR lane <= after)
                               ORDER BY lane LIMIT 1)
                              UNION ALL
                              (SELECT lane, 1 FROM ready
                               WHERE r.lap = 0 AND band_id = k.id AND lane <= after AND seq >= k.low
                               ORDER BY lane LIMIT 1)) y
                        LIMIT 1) n)
                SELECT g.lane
                FROM (SELECT lane FROM ring OFFSET 1) g
                WHERE max_running_per_key IS NULL
                   OR max_running_per_key > (SELECT count(*) FROM lease e WHERE e.lane = g.lane)
                LIMIT wanted) l
            WHERE k.id = ANY (keyed_bands)) t
        ORDER BY t.turn <= after, t.turn
        LIMIT wanted) o
$$;

-- Leases up to `wanted` jobs for a worker.
--
-- Shares: at each priority, a limited queue is a share, and all others are one together. The share whose
-- first job waits longest comes first. A limited one is judged and leased from under a lock, which is
-- held until the commit, so its limits are exact whatever else goes on; the locks are taken first, in the
-- order of the queues, and only where there seems to be room.
--
-- Turns: within a share every concurrency key takes its turn, and so do the jobs without a key, those of
-- each band together. Turns are ordered on a ring, from the one after the turn that this worker has
-- served last, which it says by `shares` and `after` (`start` is for shares that are not among them).
--
-- The answer has a row for each job; `share` and `turn` say whose turn it was. A row without an id says
-- when the rate of some queue will allow its next start (`ready_at`) or, if it has no instant, that
-- nothing but plain bands had work.
CREATE FUNCTION lease_by_turns(
    queues int[], excluded_types int[], wanted int, worker bigint, lease_seconds double precision,
    shares bigint[], after bigint[], start bigint)
RETURNS TABLE (id uuid, token bigint, band_id int, attempt smallint, max_attempts smallint,
               timeout_seconds int, ready_at timestamptz, leased_at timestamptz, payload json,
               trace_parent text, share bigint, turn bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    limited queue;
    held int[] := '{}';
    part record;
    ring record;
    new_token bigint;
    remaining int := wanted;
    in_part int;
    taken int;
    are_open boolean := false;
BEGIN
    FOR limited IN
        SELECT q.* FROM queue q
        WHERE q.limited AND (queues IS NULL OR q.id = ANY (queues))
          AND EXISTS (SELECT FROM open_band b
                      WHERE b.queue_id = q.id AND b.type_id <> ALL (excluded_types)
                        AND EXISTS (SELECT FROM ready r WHERE r.band_id = b.id AND r.seq >= b.low))
        ORDER BY q.id
    LOOP
        IF queue_room(limited) > 0 THEN
            PERFORM pg_advisory_xact_lock('lease_gate'::regclass::oid::int, limited.id);
            held := held || limited.id;
        ELSIF rate_room(limited) <= 0 THEN
            ready_at := next_start(limited);
            leased_at := clock_timestamp();
            RETURN NEXT;
        END IF;
    END LOOP;

    FOR part IN
        SELECT b.priority, l.queue_id, (COALESCE(l.queue_id, 0)::bigint << 16) + b.priority + 32768 AS share,
               COALESCE(array_agg(b.id ORDER BY h.seq) FILTER (WHERE b.keyed), '{}') AS keyed,
               COALESCE(array_agg(b.id) FILTER (WHERE NOT b.keyed), '{}') AS unkeyed
        FROM open_band b
        JOIN queue q ON q.id = b.queue_id
        CROSS JOIN LATERAL (SELECT CASE WHEN q.limited THEN q.id END AS queue_id) l
        CROSS JOIN LATERAL (SELECT seq FROM ready
                            WHERE band_id = b.id AND seq >= b.low ORDER BY seq LIMIT 1) h
        WHERE (queues IS NULL OR b.queue_id = ANY (queues)) AND b.type_id <> ALL (excluded_types)
          AND (NOT q.limited OR q.id = ANY (held))
        GROUP BY b.priority, l.queue_id
        ORDER BY b.priority, min(h.seq)
    LOOP
        are_open := are_open OR part.queue_id IS NOT NULL OR part.keyed <> '{}';
        CONTINUE WHEN remaining = 0;
        SELECT q.* INTO limited FROM queue q WHERE q.id = part.queue_id;
        in_part := CASE WHEN part.queue_id IS NULL THEN remaining ELSE LEAST(remaining, queue_room(limited)) END;
        -- In a large batch a turn is four jobs long, which saves probes and delays nobody who could tell.
        SELECT * INTO ring
        FROM next_turns(part.keyed, part.unkeyed, COALESCE(after[array_position(shares, part.share)], start),
                        limited.max_running_per_key,
                        CASE WHEN in_part < 100 THEN in_part ELSE in_part / 4 END);
        WHILE in_part > 0 AND ring.turns IS NOT NULL LOOP
            new_token := COALESCE(new_token, nextval('lease_token'));
            RETURN QUERY
            WITH picked AS MATERIALIZED (
                DELETE FROM ready WHERE ctid = ANY (ARRAY(
                    SELECT r.at
                    FROM unnest(ring.turns, ring.bands) AS t (turn, band_id)
                    CROSS JOIN LATERAL (
                        SELECT GREATEST(1, in_part / cardinality(ring.turns)) AS most OFFSET 0) e
                    CROSS JOIN LATERAL (
                        (SELECT x.at
                         FROM unnest(part.keyed) AS k (id)
                         JOIN band b ON b.id = k.id
                         CROSS JOIN LATERAL (
                             SELECT ctid AS at FROM ready
                             WHERE band_id = k.id AND lane = t.turn AND seq >= b.low AND t.band_id IS NULL
                             ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x
                         LIMIT LEAST(e.most, CASE WHEN limited.max_running_per_key IS NOT NULL THEN GREATEST(
                             0, limited.max_running_per_key
                                - (SELECT count(*) FROM lease l WHERE l.lane = t.turn)) END))
                        UNION ALL
                        (SELECT x.at
                         FROM band b
                         CROSS JOIN LATERAL (
                             SELECT ctid AS at FROM ready
                             WHERE band_id = b.id AND seq >= b.low
                             ORDER BY seq LIMIT e.most FOR UPDATE SKIP LOCKED) x
                         WHERE b.id = t.band_id)) r
                    LIMIT in_part))
                RETURNING ready.id, ready.ready_at, ready.band_id, ready.attempt, ready.lane),
            moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
            leased AS (
                INSERT INTO lease (id, token, worker_id, leased_at, expires_at, band_id, attempt, queue_id, lane)
                SELECT p.id, new_token, worker, m.at, m.at + make_interval(secs => lease_seconds), p.band_id,
                       p.attempt + 1, part.queue_id, p.lane
                FROM picked p, moment m),
            counted AS (
                INSERT INTO tally (band_id, step, n)
                SELECT p.band_id, 'leased', count(*) FROM picked p GROUP BY p.band_id)
            SELECT p.id, new_token, p.band_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
                   p.ready_at, m.at, j.payload, j.trace_parent, part.share,
                   COALESCE(p.lane, hashint8extended(p.band_id, 0))
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
        IF rate_room(limited) <= 0 THEN
            ready_at := next_start(limited);
            leased_at := clock_timestamp();
            RETURN NEXT;
        END IF;
    END LOOP;

    IF NOT are_open THEN
        ready_at := NULL;
        RETURN NEXT;
    END IF;
END $$;

-- Tells a queue its limits and its retention, and returns it; it is made if it does not exist. What it is
-- not told has no limit. No lease that begins after the commit exceeds the limits, and the jobs that run
-- already count.
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
    LOCK TABLE lease_gate IN EXCLUSIVE MODE;
    INSERT INTO queue (name) VALUES (queue_name) ON CONFLICT DO NOTHING;
    UPDATE queue q
    SET (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours, failed_hours,
         cancelled_hours)
        = ROW (max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours,
               failed_hours, cancelled_hours)
    WHERE q.name = queue_name
    RETURNING q.* INTO changed;

    PERFORM FROM band b WHERE b.queue_id = changed.id ORDER BY b.id FOR UPDATE;
    UPDATE band b SET plain = NOT (b.keyed OR changed.limited)
    WHERE b.queue_id = changed.id AND b.plain <> (NOT (b.keyed OR changed.limited));

    IF changed.limited THEN
        PERFORM FROM lease l JOIN band b ON b.id = l.band_id
        WHERE b.queue_id = changed.id AND l.queue_id IS NULL ORDER BY l.id FOR UPDATE OF l;
        UPDATE lease l SET queue_id = changed.id
        FROM band b WHERE b.id = l.band_id AND b.queue_id = changed.id AND l.queue_id IS NULL;
    END IF;
    IF changed.rate_count IS NULL THEN
        DELETE FROM queue_rate r WHERE r.queue_id = changed.id;
    END IF;
    RETURN changed;
END $$;
