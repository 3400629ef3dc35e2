-- Days of job, outcome and attempt_error. A day is the range of UUIDv7 ids of one UTC date; what
-- falls outside every day stands in the default partitions, which are meant to stay empty.

CREATE TABLE job_default PARTITION OF job DEFAULT;
CREATE TABLE outcome_default PARTITION OF outcome DEFAULT;
CREATE TABLE attempt_error_default PARTITION OF attempt_error DEFAULT;

-- Makes the partitions of today and the next `days_ahead` days that are missing, and returns how
-- many it made. Any number of callers at once: one works, the others return 0. A day of which a
-- default partition already holds rows is left there. Attaching waits for the running statements
-- on the default partition and holds up new ones meanwhile, so call it with a lock_timeout; what
-- it did not make, the next call makes. It runs with the rights of the owner, because the role of
-- the services owns nothing.
CREATE FUNCTION ensure_partitions(days_ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    parent text;
    day date;
    part text;
    lower uuid;
    upper uuid;
    taken boolean;
    made int := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('jobqueue.partitions'), 'job'::regclass::oid::int) THEN
        RETURN 0;
    END IF;
    FOR offset_days IN 0 .. days_ahead LOOP
        day := (clock_timestamp() AT TIME ZONE 'UTC')::date + offset_days;
        lower := uuid_at(day::timestamp AT TIME ZONE 'UTC');
        upper := uuid_at((day + 1)::timestamp AT TIME ZONE 'UTC');
        FOREACH parent IN ARRAY ARRAY['job', 'outcome', 'attempt_error'] LOOP
            part := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE id >= %L AND id < %L)',
                           parent || '_default', lower, upper) INTO taken;
            CONTINUE WHEN taken;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, part, lower, upper);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- The oldest day that has partitions, or NULL.
CREATE FUNCTION oldest_day() RETURNS date
LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('job'::regclass, 'outcome'::regclass, 'attempt_error'::regclass)
      AND c.relname ~ '_[0-9]{8}$'
$$;

-- Retention of a whole day: drops its partitions and returns how many ended jobs went with them.
-- NULL: jobs of that day still live (queued, scheduled or leased), so nothing was dropped; then
-- the reaper removes ended ones in bounded batches instead. The first lock keeps every other
-- statement from ending or reviving a job of that day while we look; readers go on. The drop
-- itself needs the parents for an instant: call it with a lock_timeout, and again if that strikes.
CREATE FUNCTION drop_day(day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    suffix text := to_char(day, 'YYYYMMDD');
    lower uuid := uuid_at(day::timestamp AT TIME ZONE 'UTC');
    upper uuid := uuid_at((day + 1)::timestamp AT TIME ZONE 'UTC');
    part text;
    removed bigint := 0;
BEGIN
    FOREACH part IN ARRAY ARRAY['job_', 'outcome_', 'attempt_error_'] LOOP
        IF to_regclass(part || suffix) IS NOT NULL THEN
            EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', part || suffix);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM band b
               WHERE EXISTS (SELECT FROM ready r
                             WHERE r.band_id = b.id AND r.id >= lower AND r.id < upper))
       OR EXISTS (SELECT FROM scheduled s WHERE s.id >= lower AND s.id < upper)
       OR EXISTS (SELECT FROM lease l WHERE l.id >= lower AND l.id < upper) THEN
        RETURN NULL;
    END IF;
    IF to_regclass('outcome_' || suffix) IS NOT NULL THEN
        EXECUTE format($count$
            WITH counted AS (
                INSERT INTO tally (band_id, step, n)
                SELECT band_id, ('removed_' || status)::job_step, count(*) FROM %I GROUP BY 1, 2
                RETURNING n)
            SELECT COALESCE(sum(n), 0) FROM counted $count$, 'outcome_' || suffix) INTO removed;
    END IF;
    FOREACH part IN ARRAY ARRAY['attempt_error_', 'outcome_', 'job_'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', part || suffix);
    END LOOP;
    RETURN removed;
END $$;

SELECT ensure_partitions(7);
