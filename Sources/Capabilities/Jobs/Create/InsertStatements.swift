internal import Postgres

/// What a batch is inserted with: the cheapest of three statements that can hold it.
extension InsertJobs {
    /// Jobs that say no more than their type, queue, priority and payload. One row of `ready` and `job` each, and one of
    /// `transition_delta` for each subqueue: nobody waits for anybody. `anyone_waiting` tells whether a worker sleeps and should be
    /// notified.
    private static let plain = Statement(
        "insert_plain_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        stored AS (
            INSERT INTO job (id, created_at, subqueue_id, payload)
            SELECT g.id, (SELECT at FROM moment), g.subqueue_id, g.payload
            FROM unnest($1::uuid[], $2::int[], $3::json[]) AS g (id, subqueue_id, payload)),
        queued AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt)
            SELECT g.id, (SELECT at FROM moment), g.subqueue_id, 0
            FROM unnest($1::uuid[], $2::int[]) AS g (id, subqueue_id)),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'enqueued', count(*) FROM unnest($2::int[]) AS g (subqueue_id) GROUP BY subqueue_id)
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """, [.uuidArray, .int4Array, .jsonArray])

    /// All options, without keys.
    private static let full = Statement(
        "insert_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        given AS MATERIALIZED (
            SELECT g.*, NULL::text AS unique_key, \(sql: derived)
            FROM moment m, unnest(\(sql: optionParameters)) AS g (\(sql: optionNames))),
        \(sql: insertion)
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """, optionTypes)

    /// The same where any of them has a unique key, or its request an idempotency key: what these allow is inserted.
    /// Callers that use the same keys at once wait for each other's commits.
    static let keyed = Statement(
        "insert_keyed_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        settled AS MATERIALIZED (
            SELECT s.* FROM moment m
            CROSS JOIN LATERAL deduplicate_jobs(m.at, $1, $2, $11, $15, $16, $17, $18, $19, $20) s),
        given AS MATERIALIZED (
            SELECT g.*, \(sql: derived)
            FROM moment m, settled s,
                 unnest(\(sql: optionParameters), $15::text[], s.is_new)
                     AS g (\(sql: optionNames), unique_key, is_new)
            WHERE g.is_new),
        \(sql: insertion)
        SELECT m.at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > m.at) AS anyone_waiting,
               s.ids, s.created_at, s.existed, s.traced, s.is_other
        FROM moment m, settled s
        """,
        optionTypes + [.textArray, .int4Array, .textArray, .byteaArray, .uuidArray, .int4Array])

    // MARK: What the last two share

    private static let optionParameters: SQLFragment = """
        $1::uuid[], $2::int[], $3::json[], $4::timestamptz[], $5::int[], $6::smallint[],
        $7::text[], $8::float8[], $9::float8[], $10::text[], $11::text[], $12::text[],
        $13::int[], $14::json[]
        """

    private static let optionTypes: [PostgresType] = [
        .uuidArray, .int4Array, .jsonArray, .timestamptzArray, .int4Array, .int2Array, .textArray, .float8Array,
        .float8Array, .textArray, .textArray, .textArray, .int4Array, .jsonArray,
    ]

    private static let optionNames: SQLFragment = """
        id, subqueue_id, payload, run_at, timeout_seconds, max_attempts, backoff_kind, backoff_base_seconds,
        backoff_max_seconds, tags, trace_parent, concurrency_key, cancel_grace_seconds, teardown
        """

    /// A job whose `run_at` lies ahead goes to `scheduled`, by PostgreSQL's clock.
    private static let derived: SQLFragment = """
        COALESCE(g.run_at > m.at, false) AS ahead,
        partition_key_of((SELECT queue_id FROM subqueue WHERE id = g.subqueue_id), g.concurrency_key) AS partition_key
        """

    private static let insertion: SQLFragment = """
        stored AS (
            INSERT INTO job (id, created_at, run_at, subqueue_id, timeout_seconds, max_attempts, backoff_kind,
                             backoff_base_seconds, backoff_max_seconds, payload, tags, trace_parent,
                             concurrency_key, cancel_grace_seconds, teardown, unique_key)
            SELECT id, (SELECT at FROM moment), run_at, subqueue_id, timeout_seconds, max_attempts,
                   backoff_kind::backoff_kind, backoff_base_seconds, backoff_max_seconds, payload, tags::text[],
                   trace_parent, concurrency_key, cancel_grace_seconds, teardown, unique_key
            FROM given),
        queued AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt, partition_key)
            SELECT id, (SELECT at FROM moment), subqueue_id, 0, partition_key FROM given WHERE NOT ahead),
        later AS (
            INSERT INTO scheduled (id, run_at, subqueue_id, attempt, partition_key)
            SELECT id, run_at, subqueue_id, 0, partition_key FROM given WHERE ahead),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, CASE WHEN ahead THEN 'delayed' ELSE 'enqueued' END::job_transition, count(*)
            FROM given GROUP BY 1, 2)
        """

    // MARK: Parameters and answer

    /// What became of each item, from a row of `keyed`.
    static func results(_ row: Row, count: Int) throws(PostgresError) -> [CreateResult] {
        let ids = try row.uuidArray(2)
        let times = try row.timestamptzArray(3)
        let existed = try row.boolArray(4)
        let traces = try row.textArray(5)
        let others = try row.boolArray(6)
        var results: [CreateResult] = []
        results.reserveCapacity(count)
        for index in 0..<count {
            switch (ids[index], times[index]) {
            case (_, _) where others[index] == true: results.append(.otherRequest)
            case (let id?, _) where existed[index] == true: results.append(.existing(id))
            case (let id?, let time?): results.append(.created(id, at: time, traceParent: traces[index]))
            default: throw .unexpectedValue(column: 2, reason: "the job at \(index) was not settled")
            }
        }
        return results
    }

    static func encode(_ items: [Item]) -> (Statement, Parameters) {
        let payloadBytes = items.reduce(0) { $0 + $1.job.bytes }
        var parameters = Parameters(reservingBytes: payloadBytes + 64 * items.count + 1_024)
        parameters.appendArray(of: .uuid) { for item in items { $0.append(item.id) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.subqueue) } }
        parameters.appendArray(of: .json) { for item in items { $0.append(bytes: item.job.payload) } }
        let hasKeys = items.contains { $0.place != nil || $0.job.uniqueKey != nil }
        guard hasKeys || !items.allSatisfy(\.job.isPlain) else { return (plain, parameters) }
        parameters.appendArray(of: .timestamptz) { for item in items { $0.append(item.job.runAt) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.job.timeoutSeconds) } }
        parameters.appendArray(of: .int2) { for item in items { $0.append(item.job.maxAttempts) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.backoff.kindName) } }
        parameters.appendArray(of: .float8) { for item in items { $0.append(item.job.backoff.baseSeconds) } }
        parameters.appendArray(of: .float8) { for item in items { $0.append(item.job.backoff.maxSeconds) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: arrayLiteral(item.job.tags)) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.traceParent) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.concurrencyKey) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.job.cancelGraceSeconds) } }
        parameters.appendArray(of: .json) { for item in items { $0.append(bytes: item.job.teardown) } }
        guard hasKeys else { return (full, parameters) }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.uniqueKey) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.job.uniqueSeconds) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.place?.request.key) } }
        parameters.appendArray(of: .bytea) { for item in items { $0.append(bytes: item.place?.request.digest) } }
        parameters.appendArray(of: .uuid) { for item in items { $0.append(item.place?.requestID) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.place?.number) } }
        return (keyed, parameters)
    }

    /// An array of texts as PostgreSQL writes it (documentation, "Array Input and Output Syntax"): `unnest` has no
    /// arrays of arrays. nil for none.
    private static func arrayLiteral(_ texts: [String]) -> String? {
        guard !texts.isEmpty else { return nil }
        var literal: [UInt8] = [UInt8(ascii: "{")]
        for text in texts {
            if literal.count > 1 { literal.append(UInt8(ascii: ",")) }
            literal.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { literal.append(UInt8(ascii: "\\")) }
                literal.append(byte)
            }
            literal.append(UInt8(ascii: "\""))
        }
        literal.append(UInt8(ascii: "}"))
        return String(decoding: literal, as: UTF8.self)
    }
}
