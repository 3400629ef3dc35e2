-- Partitions. A job_partition is a range of whole UTC days, for which job, outcome, attempt_error and event each have
-- one partition. Partitions are created ahead, and retention drops them whole. UUIDv7 ids are ordered by time, so a
-- range of days is a range of ids. Each partition costs every lease about 1 %, because a lease opens all of them; so a
-- partition covers a good fraction of the retention, and there are few.
--
-- Rows outside every partition go to the default partitions, which should stay empty: creating jobs continues even if
-- nobody created partitions for weeks.

-- Two functions below run as their owner, so a caller's temporary tables must not hide our tables. The path of this
-- transaction becomes theirs (SET search_path FROM CURRENT).
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE TABLE job_default PARTITION OF job DEFAULT;
CREATE TABLE outcome_default PARTITION OF outcome DEFAULT;
CREATE TABLE attempt_error_default PARTITION OF attempt_error DEFAULT;
CREATE TABLE event_default PARTITION OF event DEFAULT;

CREATE TABLE job_partition (
    starts date PRIMARY KEY,                 -- first UTC day
    ends date NOT NULL CHECK (ends > starts), -- the day after the last
    suffix text GENERATED ALWAYS AS (
        lpad(extract(year FROM starts)::text, 4, '0') || lpad(extract(month FROM starts)::text, 2, '0')
        || lpad(extract(day FROM starts)::text, 2, '0')) STORED
);

-- Creates partitions of `days` days until the next `ahead_days` days are covered, and returns their number. Of
-- concurrent callers one works, and the others return 0. Days whose rows are already in a default partition stay there.
-- Attaching waits for running statements on the default partitions and blocks new ones meanwhile, so call it with a
-- lock_timeout; the next call creates what is missing. It runs with the rights of the owner, because the role of the
-- services owns nothing.
CREATE FUNCTION ensure_partitions(days int, ahead_days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    next_day date;
    made job_partition;
    parent text;
    taken boolean;
    count int := 0;
BEGIN
    IF days < 1 THEN
        RAISE EXCEPTION 'a partition has at least 1 day, not %', days USING ERRCODE = '22023';
    END IF;
    -- A role that may only call this must not be able to fill the catalogue.
    IF days > 366 OR ahead_days NOT BETWEEN 0 AND 366 OR ahead_days / days > 60 THEN
        RAISE EXCEPTION 'at most 366 days ahead, in at most 60 partitions of at most 366 days; not % days of % each',
            ahead_days, days USING ERRCODE = '22023';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('jobqueue.job_partition'), 'job_partition'::regclass::oid::int) THEN
        RETURN 0;
    END IF;
    SELECT GREATEST(today, max(ends)) INTO next_day FROM job_partition;
    WHILE next_day <= today + ahead_days LOOP
        SELECT bool_or(outside) INTO taken FROM (
            SELECT EXISTS (SELECT FROM job_default
                           WHERE id >= uuid_at(next_day::timestamp AT TIME ZONE 'UTC')
                             AND id < uuid_at((next_day + days)::timestamp AT TIME ZONE 'UTC')) AS outside
            UNION ALL
            SELECT EXISTS (SELECT FROM outcome_default
                           WHERE id >= uuid_at(next_day::timestamp AT TIME ZONE 'UTC')
                             AND id < uuid_at((next_day + days)::timestamp AT TIME ZONE 'UTC'))
            UNION ALL
            SELECT EXISTS (SELECT FROM attempt_error_default
                           WHERE id >= uuid_at(next_day::timestamp AT TIME ZONE 'UTC')
                             AND id < uuid_at((next_day + days)::timestamp AT TIME ZONE 'UTC'))
            UNION ALL
            SELECT EXISTS (SELECT FROM event_default
                           WHERE id >= uuid_at(next_day::timestamp AT TIME ZONE 'UTC')
                             AND id < uuid_at((next_day + days)::timestamp AT TIME ZONE 'UTC'))) d;
        IF taken THEN
            next_day := next_day + 1;
            CONTINUE;
        END IF;
        INSERT INTO job_partition (starts, ends) VALUES (next_day, next_day + days) RETURNING * INTO made;
        FOREACH parent IN ARRAY ARRAY['job', 'outcome', 'attempt_error', 'event'] LOOP
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || '_' || made.suffix, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, parent || '_' || made.suffix,
                           uuid_at(made.starts::timestamp AT TIME ZONE 'UTC'),
                           uuid_at(made.ends::timestamp AT TIME ZONE 'UTC'));
        END LOOP;
        next_day := made.ends;
        count := count + 1;
    END LOOP;
    RETURN count;
END $$;

-- Retention of an ended job in hours: the setting of its queue, otherwise that of the reaper.
CREATE FUNCTION retention_hours(q queue, status job_status, succeeded_hours int, failed_hours int, cancelled_hours int)
RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE status WHEN 'succeeded' THEN COALESCE(q.succeeded_hours, succeeded_hours)
                   WHEN 'failed' THEN COALESCE(q.failed_hours, failed_hours)
                   ELSE COALESCE(q.cancelled_hours, cancelled_hours) END;

-- The longest retention of any queue and status in hours, given the longest one of the reaper.
CREATE FUNCTION longest_retention_hours(hours int) RETURNS int
LANGUAGE sql STABLE SET search_path FROM CURRENT
RETURN GREATEST(hours, (SELECT max(GREATEST(succeeded_hours, failed_hours, cancelled_hours)) FROM queue));

-- Drops a partition and returns the number of ended jobs in it. It returns NULL and drops nothing when there is no such
-- partition, when jobs in it are queued, scheduled or leased, or when a job in it ended less than its retention ago;
-- the reaper then removes the other jobs in bounded batches. The first lock prevents other statements from ending or
-- retrying a job of the partition during the check; readers continue. The drop locks the parents for an instant: call
-- it with a lock_timeout, and again after a timeout.
CREATE FUNCTION drop_partition(first_day date, succeeded_hours int, failed_hours int, cancelled_hours int)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    old job_partition;
    lower uuid;
    upper uuid;
    is_kept boolean;
    removed bigint;
BEGIN
    SELECT * INTO old FROM job_partition WHERE starts = first_day FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    lower := uuid_at(old.starts::timestamp AT TIME ZONE 'UTC');
    upper := uuid_at(old.ends::timestamp AT TIME ZONE 'UTC');
    EXECUTE format('LOCK TABLE %I, %I, %I, %I IN SHARE ROW EXCLUSIVE MODE', 'job_' || old.suffix,
                   'outcome_' || old.suffix, 'attempt_error_' || old.suffix, 'event_' || old.suffix);
    IF EXISTS (SELECT FROM subqueue b
               WHERE EXISTS (SELECT FROM ready r
                             WHERE r.subqueue_id = b.id AND r.id >= lower AND r.id < upper))
       OR EXISTS (SELECT FROM scheduled s WHERE s.id >= lower AND s.id < upper)
       OR EXISTS (SELECT FROM lease l WHERE l.id >= lower AND l.id < upper) THEN
        RETURN NULL;
    END IF;
    EXECUTE format($kept$
        SELECT EXISTS (SELECT FROM %I o JOIN subqueue b ON b.id = o.subqueue_id JOIN queue q ON q.id = b.queue_id
                       WHERE o.finished_at >= clock_timestamp()
                             - make_interval(hours => retention_hours(q, o.status, $1, $2, $3))) $kept$,
        'outcome_' || old.suffix) INTO is_kept USING succeeded_hours, failed_hours, cancelled_hours;
    IF is_kept THEN
        RETURN NULL;
    END IF;
    EXECUTE format($count$
        WITH delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, ('removed_' || status)::job_transition, count(*) FROM %I GROUP BY 1, 2
            RETURNING n)
        SELECT COALESCE(sum(n), 0) FROM delta_rows $count$, 'outcome_' || old.suffix) INTO removed;
    EXECUTE format('DROP TABLE %I, %I, %I, %I', 'event_' || old.suffix, 'attempt_error_' || old.suffix,
                   'outcome_' || old.suffix, 'job_' || old.suffix);
    DELETE FROM progress p WHERE p.id >= lower AND p.id < upper;
    DELETE FROM unique_key_holder c WHERE c.id >= lower AND c.id < upper;
    DELETE FROM job_partition WHERE starts = first_day;
    RETURN removed;
END $$;

SELECT ensure_partitions(1, 2);
