-- Removing queues and subqueues without jobs.
--
-- Each creation of a job looks for its subqueue in its own snapshot, and uses it only if it is there and not retired.
-- So a subqueue can be removed when no creation with an older snapshot is under way, in six steps:
--
-- 1. It is retired: `retired_at` is set, and committed. Later creations do not use it. They register it again, which
--    takes it into use again and ends the removal.
-- 2. Wait for the end of each transaction that holds the creation lock now: ROW EXCLUSIVE on the table `job`. A
--    creation, which inserts into `job`, takes this lock before its snapshot, and keeps it until its end, so one that
--    does not see step 1 is among them. Nobody waits for this.
-- 3. It is looked for its jobs, in every table in one snapshot. If it has none, it gets none while it is retired.
-- 4. Its counts are rolled up. It gets no others.
-- 5. It is removed if it is still retired since the same instant (`remove_subqueues`).
-- 6. The queue is removed if it has no subqueues (`remove_queue`).
--
-- A removal that stops after any step has changed nothing that matters. A retired subqueue keeps the jobs that it has,
-- and these run.

-- The subqueues among these that have no job in any state, in one snapshot. One index probe for each table and
-- subqueue, whatever the statistics say; leases are few, and read once.
CREATE FUNCTION empty_subqueues(subqueues int[]) RETURNS SETOF int
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN QUERY
    SELECT b.id
    FROM subqueue b
    WHERE b.id = ANY (subqueues)
      AND b.id <> ALL (ARRAY(SELECT DISTINCT l.subqueue_id FROM lease l))
      AND (SELECT o.id FROM outcome o WHERE o.subqueue_id = b.id LIMIT 1) IS NULL
      AND (SELECT s.id FROM scheduled s WHERE s.subqueue_id = b.id LIMIT 1) IS NULL
      AND (SELECT r.id FROM ready r WHERE r.priority = b.priority AND r.subqueue_id = b.id LIMIT 1) IS NULL;
END $$;

-- Step 5. Removes those of the subqueues that are retired since the instants in `marks`, and returns their number.
-- Their counts stay in `queue_transition_total`. It waits for no lock: a locked subqueue, or one whose queue is locked,
-- stays. The queues are locked first, since each registration of a subqueue locks them.
CREATE FUNCTION remove_subqueues(subqueues int[], marks timestamptz[]) RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    queues int[];
    removed int[];
BEGIN
    queues := ARRAY(SELECT q.id FROM queue q
                    WHERE q.id IN (SELECT b.queue_id FROM subqueue b WHERE b.id = ANY (subqueues))
                    ORDER BY q.id FOR UPDATE SKIP LOCKED);
    removed := ARRAY(SELECT b.id FROM unnest(subqueues, marks) AS g (id, mark)
                     JOIN subqueue b ON b.id = g.id AND b.retired_at = g.mark
                     WHERE b.queue_id = ANY (queues)
                     ORDER BY b.id FOR UPDATE OF b SKIP LOCKED);
    DELETE FROM low_water_mark WHERE subqueue_id = ANY (removed);
    DELETE FROM transition_total WHERE subqueue_id = ANY (removed);
    DELETE FROM subqueue WHERE id = ANY (removed);
    RETURN cardinality(removed);
END $$;

-- Step 6. Removes a queue with its settings and counts, unless it has a subqueue, is paused, or is locked. Returns
-- whether it did. The end of a pause that nobody has recorded yet (`end_due_pauses`) counts as a pause, so that the
-- history is complete. The sum of all queues without a name in the metrics keeps the counts of the queue, because
-- counters do not fall.
CREATE FUNCTION remove_queue(queue_name text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    removed int;
BEGIN
    SELECT q.id INTO removed FROM queue q WHERE q.name = queue_name FOR UPDATE SKIP LOCKED;
    IF removed IS NULL
       OR EXISTS (SELECT FROM subqueue b WHERE b.queue_id = removed)
       OR EXISTS (SELECT FROM pause_state p WHERE p.queue_id = removed AND p.paused) THEN
        RETURN false;
    END IF;
    DELETE FROM pause_state p WHERE p.queue_id = removed;
    DELETE FROM queue_rate r WHERE r.queue_id = removed;
    DELETE FROM queue_transition_total t WHERE t.queue_id = removed;
    DELETE FROM queue q WHERE q.id = removed;
    RETURN true;
END $$;

-- Makes the names in the metrics of removed queues free for other queues, and returns their number. A name under which
-- a live worker counts stays: a worker never forgets a series, so otherwise the series of all workers together would
-- have no bound. The counters of deregistered workers under the name go with it.
CREATE FUNCTION release_metric_names() RETURNS bigint
LANGUAGE sql SET search_path FROM CURRENT
AS $$
    WITH released AS (
        DELETE FROM metric_name m
        WHERE NOT EXISTS (SELECT FROM queue q WHERE q.name = m.name AND q.in_metrics)
          AND NOT EXISTS (SELECT FROM worker w CROSS JOIN LATERAL jsonb_object_keys(w.counters) AS k (series)
                          WHERE w.deregistered_at IS NULL AND position('queue="' || m.name || '"' IN k.series) > 0)
        RETURNING name),
    deleted AS (
        DELETE FROM deregistered_counter d USING released r
        WHERE position('queue="' || r.name || '"' IN d.series) > 0)
    SELECT count(*) FROM released
$$;
