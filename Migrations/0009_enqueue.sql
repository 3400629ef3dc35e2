-- Jobs by SQL: creating jobs inside the transaction of any client, and a fence for handlers that write to the same
-- database. Errors have the words of the HTTP API (NewJob+JSON.swift), which a test compares. Only the first error is
-- reported, where HTTP reports all; for an unknown name, HTTP also suggests a known one.

-- The kind of a value with its article: `a string`, `an object`, `null`.
CREATE FUNCTION json_phrase(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE jsonb_typeof(value) WHEN 'null' THEN 'null' WHEN 'array' THEN 'an array' WHEN 'object' THEN 'an object'
            ELSE 'a ' || jsonb_typeof(value) END;

-- Raises the error for the value at `pointer` (RFC 6901); `fault` is the reason.
CREATE FUNCTION refuse_job(pointer text, fault text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'the job is not accepted: %', COALESCE(NULLIF(pointer, ''), 'options')
        USING ERRCODE = '22023', DETAIL = fault;
END $$;

-- The functions below return what is wrong with a value, as the end of a sentence. NULL: nothing.

CREATE FUNCTION kind_fault(value jsonb, kind text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) <> kind
            THEN format('must be %s %s, not %s', CASE WHEN kind IN ('array', 'object') THEN 'an' ELSE 'a' END, kind,
                        json_phrase(value)) END;

CREATE FUNCTION integer_fault(value jsonb, lowest bigint, highest bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) <> 'number'
            THEN format('must be an integer from %s to %s, not %s', lowest, highest, json_phrase(value))
            WHEN value::numeric <> trunc(value::numeric) OR value::numeric NOT BETWEEN lowest AND highest
            THEN format('must be an integer from %s to %s', lowest, highest) END;

CREATE FUNCTION seconds_fault(value jsonb, most int) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) <> 'number' THEN kind_fault(value, 'number')
            WHEN value::numeric NOT BETWEEN 0 AND most
            THEN format('must be a number of seconds from 0 to %s', most) END;

CREATE FUNCTION name_fault(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) <> 'string' THEN kind_fault(value, 'string')
            WHEN value #>> '{}' !~ '^[A-Za-z0-9._:/-]{1,128}$' OR value #>> '{}' IN ('.', '..')
            THEN 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -, but not . or ..' END;

CREATE FUNCTION line_fault(value jsonb, most int) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) <> 'string' THEN kind_fault(value, 'string')
            WHEN octet_length(value #>> '{}') NOT BETWEEN 1 AND most OR value #>> '{}' ~ E'[\u0001-\u001f\u007f]'
            THEN format('must be 1 to %s bytes without control characters', most) END;

CREATE FUNCTION instant_fault(value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT
AS $$
DECLARE
    -- Year, month, day, hour, minute, second, fraction, zone.
    part text[] := regexp_match(value #>> '{}',
        '^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?'
        '([Zz]|[+-][0-9]{2}:[0-9]{2})$');
BEGIN
    IF jsonb_typeof(value) <> 'string' THEN
        RETURN kind_fault(value, 'string');
    ELSIF part IS NULL THEN
        RETURN 'is not an RFC 3339 instant such as 2026-03-01T12:00:00Z or 2026-03-01T12:00:00.250+01:00';
    ELSIF part[8] ~ '^[+-]' AND (substr(part[8], 2, 2) > '23' OR substr(part[8], 5, 2) > '59') THEN
        RETURN 'has an offset from UTC beyond 23:59';
    ELSIF part[1] = '0000' OR part[2] NOT BETWEEN '01' AND '12' OR part[3] < '01'
        OR part[3]::int > extract(day FROM make_date(part[1]::int, part[2]::int, 1) + interval '1 month - 1 day') THEN
        RETURN 'names a day that does not exist';
    ELSIF part[4] > '23' OR part[5] > '59' OR part[6] > '60' THEN
        RETURN 'names a time of day that does not exist';
    ELSIF part[6] = '60' THEN
        RETURN 'names a leap second (:60), which is not supported: use :59 or the next minute';
    ELSIF instant_of(value) NOT BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00' THEN
        RETURN 'lies outside the years 0001 to 9999 in UTC';
    END IF;
    RETURN NULL;
END $$;

-- An instant of RFC 3339, truncated to microseconds.
CREATE FUNCTION instant_of(value jsonb) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT make_timestamp(p[1]::int, p[2]::int, p[3]::int, p[4]::int, p[5]::int, p[6]::int) AT TIME ZONE 'UTC'
               + interval '1 microsecond' * rpad(left(COALESCE(p[7], ''), 6), 6, '0')::int
               - CASE WHEN p[8] IN ('Z', 'z') THEN interval '0'
                      ELSE interval '1 minute' * ((left(p[8], 1) || '1')::int
                                                  * (substr(p[8], 2, 2)::int * 60 + substr(p[8], 5, 2)::int)) END
        FROM regexp_match(value #>> '{}', '^(.{4})-(..)-(..).(..):(..):(..)(?:[.]([0-9]+))?(.*)$') AS m (p));

-- Raises an error if the value is not a backoff.
CREATE FUNCTION check_backoff(value jsonb, pointer text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    member record;
    fault text := kind_fault(value, 'object');
    members text[];
BEGIN
    IF fault IS NOT NULL THEN
        PERFORM refuse_job(pointer, fault);
    END IF;
    FOR member IN SELECT * FROM jsonb_each(value) LOOP
        fault := CASE member.key WHEN 'kind' THEN kind_fault(member.value, 'string')
                                 WHEN 'base_seconds' THEN seconds_fault(member.value, 604800)
                                 WHEN 'max_seconds' THEN seconds_fault(member.value, 604800)
                                 ELSE 'is not a known member' END;
        IF fault IS NOT NULL THEN
            PERFORM refuse_job(pointer || '/' || member.key, fault);
        END IF;
        members := members || member.key;
    END LOOP;
    IF (CASE value ->> 'kind' WHEN 'standard' THEN members <> '{kind}'
                              WHEN 'none' THEN members <> '{kind}'
                              WHEN 'fixed' THEN NOT members @> '{base_seconds}' OR cardinality(members) > 2
                              WHEN 'exponential' THEN cardinality(members) < 3
                              ELSE true END) THEN
        PERFORM refuse_job(pointer,
            'must be {"kind":"exponential","base_seconds":...,"max_seconds":...}, '
            '{"kind":"fixed","base_seconds":...}, {"kind":"none"} or {"kind":"standard"}');
    END IF;
END $$;

-- Raises an error if the value is not a list of tags.
CREATE FUNCTION check_tags(value jsonb, pointer text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    tag record;
    fault text := kind_fault(value, 'array');
BEGIN
    IF fault IS NULL AND jsonb_array_length(value) > 32 THEN
        fault := format('has %s tags; at most 32 are accepted', jsonb_array_length(value));
    END IF;
    IF fault IS NOT NULL THEN
        PERFORM refuse_job(pointer, fault);
    END IF;
    FOR tag IN SELECT * FROM jsonb_array_elements(value) WITH ORDINALITY AS t (value, place) LOOP
        fault := line_fault(tag.value, 128);
        IF fault IS NOT NULL THEN
            PERFORM refuse_job(pointer || '/' || tag.place - 1, fault);
        END IF;
    END LOOP;
END $$;

-- Raises an error if the value does not describe a job. A teardown has a payload among its members, and does not accept
-- all options.
CREATE FUNCTION check_job(described jsonb, pointer text, is_teardown boolean) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    member record;
    place text;
    fault text := kind_fault(described, 'object');
BEGIN
    IF fault IS NOT NULL THEN
        PERFORM refuse_job(pointer, fault);
    END IF;
    FOR member IN SELECT * FROM jsonb_each(described) LOOP
        place := pointer || '/' || replace(replace(member.key, '~', '~0'), '/', '~1');
        IF is_teardown AND member.key IN ('run_at', 'delay_seconds', 'teardown', 'unique_key', 'unique_for') THEN
            PERFORM refuse_job(place, 'is not accepted in a teardown');
        END IF;
        fault := CASE
            WHEN member.key IN ('type', 'queue') THEN name_fault(member.value)
            WHEN member.key IN ('unique_key', 'concurrency_key') THEN line_fault(member.value, 255)
            WHEN member.key = 'priority' THEN integer_fault(member.value, -32768, 32767)
            WHEN member.key = 'run_at' THEN instant_fault(member.value)
            WHEN member.key = 'delay_seconds' THEN
                COALESCE(integer_fault(member.value, 0, 31536000),
                         CASE WHEN described ? 'run_at' THEN 'excludes `run_at`' END)
            WHEN member.key = 'max_attempts' THEN integer_fault(member.value, 1, 10000)
            WHEN member.key = 'timeout_seconds' THEN integer_fault(member.value, 0, 2592000)
            WHEN member.key = 'cancel_grace_seconds' THEN integer_fault(member.value, 0, 3600)
            WHEN member.key = 'unique_for' THEN
                CASE WHEN member.value <> '"active"' AND integer_fault(member.value, 1, 31536000) IS NOT NULL
                     THEN 'must be "active" or an integer of seconds from 1 to 31536000'
                     WHEN NOT described ? 'unique_key' THEN 'requires `unique_key`' END
            WHEN member.key = 'trace_parent' THEN
                CASE WHEN jsonb_typeof(member.value) <> 'string' THEN kind_fault(member.value, 'string')
                     WHEN member.value #>> '{}' !~
                         '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$'
                     THEN 'must be a traceparent of W3C Trace Context, version 00' END
            WHEN is_teardown AND member.key = 'payload' THEN
                CASE WHEN octet_length(member.value::text) > 1048576
                     THEN format('is %s bytes long; at most 1048576 are accepted', octet_length(member.value::text)) END
            WHEN member.key NOT IN ('backoff', 'tags', 'teardown') THEN 'is not a known member' END;
        IF fault IS NOT NULL THEN
            PERFORM refuse_job(place, fault);
        ELSIF member.key = 'backoff' THEN
            PERFORM check_backoff(member.value, place);
        ELSIF member.key = 'tags' THEN
            PERFORM check_tags(member.value, place);
        ELSIF member.key = 'teardown' THEN
            PERFORM check_job(member.value, place, true);
        END IF;
    END LOOP;
    IF NOT described ? 'type' THEN
        PERFORM refuse_job(pointer || '/type', 'is required');
    END IF;
END $$;

-- The two functions below run as their owner: a caller's temporary tables must not hide our tables, and nothing may
-- depend on the caller's settings.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- Creates a job in the transaction of the caller, with the options of POST /api/jobs, and returns its id; if another
-- job holds the unique key, creates nothing and returns the id of that job. It does not notify, because NOTIFY would
-- make the commits of all callers wait for each other. Workers find the job by polling.
CREATE FUNCTION enqueue(type text, payload json DEFAULT 'null', options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
SET standard_conforming_strings = on SET transform_null_equals = off SET default_tablespace = '' SET TimeZone = 'UTC'
AS $$
#variable_conflict use_variable
DECLARE
    moment timestamptz := clock_timestamp();
    -- Version 7: milliseconds, and 74 random bits of a version 4.
    job_id uuid := overlay(overlay(gen_random_uuid()::text PLACING left(uuid_at(moment)::text, 14) FROM 1)
                           PLACING '7' FROM 15);
    queue_name text;
    is_keyed boolean;
    urgency smallint;
    found_subqueue record;
    first_run timestamptz;
    holder uuid;
    job_partition_key bigint;
BEGIN
    payload := COALESCE(payload, 'null');
    options := COALESCE(options, '{}');
    IF jsonb_typeof(options) = 'object' AND options ? 'type' THEN
        PERFORM refuse_job('/type', 'is not a known member');
    ELSIF octet_length(payload::text) > 1048576 THEN
        PERFORM refuse_job('/payload', format('is %s bytes long; at most 1048576 are accepted',
                                              octet_length(payload::text)));
    END IF;
    PERFORM check_job(CASE WHEN jsonb_typeof(options) = 'object' AND type IS NOT NULL
                           THEN options || jsonb_build_object('type', type) ELSE options END, '', false);

    queue_name := COALESCE(options ->> 'queue', 'default');
    urgency := COALESCE((options ->> 'priority')::numeric, 0);
    is_keyed := options ? 'concurrency_key';
    first_run := COALESCE(instant_of(options -> 'run_at'),
                          moment + make_interval(secs => (options ->> 'delay_seconds')::double precision));
    -- The creation lock, before the look-up, which has a younger snapshot (0013_remove_queues.sql).
    LOCK TABLE job IN ROW EXCLUSIVE MODE;
    SELECT b.id, b.queue_id INTO found_subqueue
    FROM queue q
    JOIN type t ON t.name = type
    JOIN subqueue b ON b.queue_id = q.id AND b.type_id = t.id AND b.priority = urgency AND b.keyed = is_keyed
    WHERE q.name = queue_name AND b.retired_at IS NULL;
    IF found_subqueue.id IS NULL THEN
        SELECT r.subqueue_id AS id, r.queue_id INTO found_subqueue
        FROM register_subqueues(ARRAY[queue_name], ARRAY[type], ARRAY[urgency], ARRAY[is_keyed]) r;
    END IF;
    -- A snapshot of the whole transaction may be older than the lock. If the subqueue has been retired or removed
    -- since, this fails with 40001, as every other conflict of such a transaction does.
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        PERFORM FROM queue q JOIN subqueue b ON b.queue_id = q.id WHERE b.id = found_subqueue.id FOR SHARE;
    END IF;

    IF options ? 'unique_key' THEN
        PERFORM hold_unique_keys(
            moment, ARRAY[job_id], ARRAY[found_subqueue.id], ARRAY[options ->> 'unique_key'],
            ARRAY[CASE WHEN options -> 'unique_for' <> '"active"' THEN
                  moment + make_interval(secs => (options ->> 'unique_for')::double precision) END]);
        SELECT c.id INTO holder
        FROM subqueue b JOIN unique_key_holder c ON c.type_id = b.type_id AND c.key = options ->> 'unique_key'
        WHERE b.id = found_subqueue.id;
        IF holder <> job_id THEN
            RETURN holder;
        END IF;
    END IF;

    INSERT INTO job (id, created_at, run_at, subqueue_id, timeout_seconds, cancel_grace_seconds, max_attempts,
                     backoff_kind, backoff_base_seconds, backoff_max_seconds, payload, unique_key, concurrency_key,
                     tags, trace_parent, teardown)
    VALUES (job_id, moment, first_run, found_subqueue.id, COALESCE((options ->> 'timeout_seconds')::numeric, 300),
            (options ->> 'cancel_grace_seconds')::numeric, COALESCE((options ->> 'max_attempts')::numeric, 25),
            NULLIF(options #>> '{backoff,kind}', 'standard')::backoff_kind,
            (options #>> '{backoff,base_seconds}')::double precision,
            (options #>> '{backoff,max_seconds}')::double precision,
            payload, options ->> 'unique_key', options ->> 'concurrency_key',
            (SELECT array_agg(t.tag ORDER BY t.place)
             FROM (SELECT e.tag, min(e.place) AS place
                   FROM jsonb_array_elements_text(options -> 'tags') WITH ORDINALITY AS e (tag, place)
                   GROUP BY e.tag) t),
            options ->> 'trace_parent', (options -> 'teardown')::json);

    job_partition_key := partition_key_of(found_subqueue.queue_id, options ->> 'concurrency_key');
    IF first_run > moment THEN
        INSERT INTO scheduled (id, run_at, subqueue_id, attempt, partition_key)
        VALUES (job_id, first_run, found_subqueue.id, 0, job_partition_key);
    ELSE
        INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority, partition_key)
        SELECT job_id, moment, b.id, 0, b.priority, job_partition_key FROM subqueue b WHERE b.id = found_subqueue.id;
    END IF;
    INSERT INTO transition_delta (subqueue_id, transition, n)
    VALUES (found_subqueue.id, CASE WHEN first_run > moment THEN 'delayed' ELSE 'enqueued' END::job_transition, 1);
    RETURN job_id;
END $$;

-- Checks that the job is leased under this token, and locks the lease until the caller's transaction ends: neither the
-- reaper nor a finishing statement can remove it meanwhile, and renewals continue. Raises an error when the lease is
-- lost, so that the transaction of a worker with an outdated token writes nothing.
CREATE FUNCTION assert_lease(job uuid, token bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET standard_conforming_strings = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM FROM lease l
    WHERE l.id = job AND l.token = token AND l.expires_at > clock_timestamp()
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease is lost: job % is not leased under token %', job, token
            USING ERRCODE = '55000', HINT = 'Another worker may run it: write nothing.';
    END IF;
END $$;

-- Functions that run as their owner require a grant: `enqueue` for the role jobqueue_enqueue, the others for the roles
-- of the services.
REVOKE EXECUTE ON FUNCTION
    enqueue(text, json, jsonb), assert_lease(uuid, bigint), ensure_partitions(int, int),
    drop_partition(date, int, int, int)
    FROM PUBLIC;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobqueue_enqueue') THEN
        CREATE ROLE jobqueue_enqueue NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;     -- created by a concurrent migration
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role jobqueue_enqueue was not created: this role may not';
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobqueue_enqueue') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO jobqueue_enqueue', current_schema());
        GRANT EXECUTE ON FUNCTION enqueue(text, json, jsonb) TO jobqueue_enqueue;
    END IF;
END $$;
