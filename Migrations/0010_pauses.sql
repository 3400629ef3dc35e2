-- Pauses: stopping leases of everything, of a queue, or of a type, and resuming them.

-- The current state of each scope that was ever changed. Versions are those of the history: one sequence over all
-- scopes, without gaps, so that one number identifies what a worker has acknowledged.
CREATE TABLE pause_state (
    scope text PRIMARY KEY,                  -- all, queue:NAME or type:NAME
    queue_id int UNIQUE REFERENCES queue,    -- if the scope is a queue
    type_id int UNIQUE REFERENCES type,      -- if the scope is a type
    version bigint NOT NULL,
    paused boolean NOT NULL,
    reason text NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    resume_at timestamptz,                   -- when the pause ends by itself
    CHECK (num_nonnulls(queue_id, type_id) <= 1),
    CHECK (paused OR resume_at IS NULL)
) WITH (fillfactor = 50);
CREATE INDEX pause_state_paused ON pause_state (scope) WHERE paused;     -- every lease reads it; nearly always empty

-- The pauses in force. A NULL queue_id or type_id matches every queue or type.
CREATE VIEW active_pause AS
SELECT queue_id, type_id, scope, version FROM pause_state
WHERE paused AND (resume_at IS NULL OR resume_at > clock_timestamp());

-- The pause check: the subqueues that may be leased from. Every lease statement reads subqueues through this view.
CREATE VIEW leasable_subqueue AS
SELECT b.* FROM subqueue b
WHERE NOT EXISTS (SELECT FROM active_pause p
                  WHERE COALESCE(p.queue_id, b.queue_id) = b.queue_id AND COALESCE(p.type_id, b.type_id) = b.type_id);

-- Every change with its actor and reason; append-only. Each row has a hash of the previous row's hash and its own
-- fields, so that an altered, removed or inserted row is detected (`jobqueue-api audit verify`).
CREATE TABLE pause_history (
    version bigint PRIMARY KEY,
    scope text NOT NULL,
    paused boolean NOT NULL,
    reason text NOT NULL,
    updated_by text NOT NULL,
    at timestamptz NOT NULL,
    resume_at timestamptz,
    cancel_running boolean NOT NULL,
    client_address text,
    request_id text,
    previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION reject_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pause_history
FOR EACH STATEMENT EXECUTE FUNCTION reject_change();

-- The encoding of a field for the hash: the length of its text in bytes (four bytes, big-endian), then the text in
-- UTF-8. NULL is the length -1 alone.
CREATE FUNCTION hash_field(field text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN field IS NULL THEN int4send(-1)
            ELSE int4send(octet_length(convert_to(field, 'UTF8'))) || convert_to(field, 'UTF8') END;

CREATE FUNCTION hash_instant(moment timestamptz) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_field((extract(epoch FROM moment) * 1000000)::bigint::text);

CREATE FUNCTION history_hash(h pause_history) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT
RETURN sha256(h.previous_hash || hash_field(h.version::text) || hash_field(h.scope)
              || hash_field(h.paused::text) || hash_field(h.reason) || hash_field(h.updated_by)
              || hash_instant(h.at) || hash_instant(h.resume_at) || hash_field(h.cancel_running::text)
              || hash_field(h.client_address) || hash_field(h.request_id));

-- Pauses or resumes a scope. With `expected_version`, only if the scope still has that version (0: never changed).
-- Returns the state of the scope, and whether it was changed; NULL: the end of the pause has passed already.
--
-- It waits for running lease statements, and later ones see the change (`lease_gate`, 0001_queues.sql): no lease of a
-- paused scope commits after this has committed. The same lock serializes changes, so no version is lost.
CREATE FUNCTION change_pause_state(
    changed_scope text, pausing boolean, why text, who text, expected_version bigint, until timestamptz,
    cancelling boolean, address text, request text, OUT changed boolean, OUT state pause_state)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    entry pause_history;
    current_version bigint;
    scope_queue int;
    scope_type int;
BEGIN
    IF pausing AND until <= clock_timestamp() THEN
        RETURN;
    END IF;
    -- The rows of the scope come before the gate: while a transaction holds a new name (`enqueue`), this waits for it,
    -- and leases must not wait meanwhile.
    SELECT c.version INTO current_version FROM pause_state c WHERE c.scope = changed_scope;
    IF expected_version IS NULL OR expected_version = COALESCE(current_version, 0) THEN
        IF changed_scope LIKE 'queue:%' THEN
            -- A queue that was removed between the two statements is created again.
            LOOP
                INSERT INTO queue (name) VALUES (substr(changed_scope, 7)) ON CONFLICT DO NOTHING;
                SELECT q.id INTO scope_queue FROM queue q WHERE q.name = substr(changed_scope, 7) FOR KEY SHARE;
                EXIT WHEN FOUND;
            END LOOP;
        ELSIF changed_scope LIKE 'type:%' THEN
            INSERT INTO type (name) VALUES (substr(changed_scope, 6)) ON CONFLICT DO NOTHING;
            SELECT t.id INTO STRICT scope_type FROM type t WHERE t.name = substr(changed_scope, 6);
        ELSIF changed_scope <> 'all' THEN
            RAISE EXCEPTION 'there is no scope %', changed_scope USING ERRCODE = '22023';
        END IF;
        LOCK TABLE lease_gate IN EXCLUSIVE MODE;
        SELECT c.version INTO current_version FROM pause_state c WHERE c.scope = changed_scope;
    END IF;
    IF expected_version <> COALESCE(current_version, 0) THEN
        changed := false;
        SELECT c.* INTO state FROM pause_state c WHERE c.scope = changed_scope;
        RETURN;
    END IF;

    SELECT COALESCE(max(h.version), 0) + 1,
           COALESCE((SELECT l.hash FROM pause_history l ORDER BY l.version DESC LIMIT 1),
                    decode(repeat('00', 32), 'hex'))
    INTO entry.version, entry.previous_hash FROM pause_history h;
    entry.scope := changed_scope;
    entry.paused := pausing;
    entry.reason := why;
    entry.updated_by := who;
    entry.at := clock_timestamp();
    entry.resume_at := CASE WHEN pausing THEN until END;
    entry.cancel_running := cancelling;
    entry.client_address := address;
    entry.request_id := request;
    entry.hash := history_hash(entry);
    INSERT INTO pause_history SELECT (entry).*;

    INSERT INTO pause_state (scope, queue_id, type_id, version, paused, reason, updated_by, updated_at, resume_at)
    VALUES (changed_scope, scope_queue, scope_type, entry.version, pausing, why, who, entry.at, entry.resume_at)
    ON CONFLICT (scope) DO UPDATE
    SET version = EXCLUDED.version, paused = EXCLUDED.paused, reason = EXCLUDED.reason,
        updated_by = EXCLUDED.updated_by, updated_at = EXCLUDED.updated_at, resume_at = EXCLUDED.resume_at;
    changed := true;
    SELECT c.* INTO state FROM pause_state c WHERE c.scope = changed_scope;
    PERFORM pg_notify(current_schema() || '_pause_state', entry.version::text);
END $$;

-- Records the end of pauses whose `resume_at` has passed, and returns their scopes. Such a pause is no longer in force;
-- this is for the history, and for callers that wait for a version.
CREATE FUNCTION end_due_pauses() RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    due pause_state;
    answer record;
BEGIN
    FOR due IN SELECT c.* FROM pause_state c WHERE c.paused AND c.resume_at <= clock_timestamp() ORDER BY c.scope LOOP
        answer := change_pause_state(due.scope, false, 'the pause was to end now', due.updated_by, due.version, NULL,
                                     false, NULL, NULL);
        IF answer.changed THEN
            RETURN NEXT due.scope;
        END IF;
    END LOOP;
END $$;
