internal import Postgres
internal import Values

/// The statement for a batch: the cheapest of four that can hold it.
extension InsertJobs {
    /// Jobs of one subqueue with no more than their payload. One row of `ready` and `job` each, and one of
    /// `transition_delta` for each subqueue: no two statements wait for each other. `anyone_waiting` says whether a
    /// worker sleeps and should be notified. No row: a subqueue is missing or retired, and nothing is created
    /// (`CreationLock`). The same holds for the statements below.
    ///
    /// Most of the cost of a single job is the start of the plan's nodes, so this one has the fewest.
    private static let uniform = Statement<Batch<UniformColumns>, Int32, Int16>(
        "insert_uniform_jobs",
        """
        WITH moment AS MATERIALIZED (
            SELECT clock_timestamp() AS at FROM subqueue WHERE id = $3 AND retired_at IS NULL),
        stored AS (
            INSERT INTO job (id, created_at, subqueue_id, payload)
            SELECT g.id, (SELECT at FROM moment), $3, g.payload
            FROM \(sql: UniformColumns.columns.unnest()) WHERE \(sql: isOpen)),
        queued AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
            SELECT g.id, (SELECT at FROM moment), $3, 0, $4
            FROM \(sql: UniformColumns.columns.unnest("id")) WHERE \(sql: isOpen)),
        delta_rows AS (
            \(sql: JobRows.deltas("SELECT $3, 'enqueued'::job_transition, cardinality($1::uuid[]) FROM moment")))
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """)

    /// The same of several subqueues.
    private static let plain = Statement<Batch<PlainColumns>, [Int32]>(
        "insert_plain_jobs",
        """
        WITH \(sql: moment(of: PlainColumns.columns)),
        stored AS (
            INSERT INTO job (id, created_at, subqueue_id, payload)
            SELECT g.id, (SELECT at FROM moment), g.subqueue_id, g.payload
            FROM \(sql: PlainColumns.columns.unnest("id", "subqueue_id", "payload")) WHERE \(sql: isOpen)),
        queued AS (
            INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
            SELECT g.id, (SELECT at FROM moment), g.subqueue_id, 0, g.priority
            FROM \(sql: PlainColumns.columns.unnest("id", "subqueue_id", "priority")) WHERE \(sql: isOpen)),
        delta_rows AS (
            \(sql: JobRows.deltas(
                JobRows.counts(
                    of: "'enqueued'",
                    from: "\(sql: PlainColumns.columns.unnest("subqueue_id")) WHERE \(sql: isOpen)"))))
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """)

    /// All options, without keys.
    private static let full = Statement<Batch<FullColumns>, [Int32]>(
        "insert_jobs",
        """
        WITH \(sql: moment(of: FullColumns.columns)),
        given AS MATERIALIZED (
            SELECT g.*, NULL::text AS unique_key, \(sql: FullColumns.derived)
            FROM moment m, \(sql: FullColumns.columns.unnest())),
        \(sql: insertion)
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """)

    /// The same where a job has a unique key, or its request an idempotency key: only the jobs that these allow are
    /// inserted. Callers that use the same keys at once wait for each other's commits.
    private static let keyed = Statement<Batch<KeyedColumns>, [Int32]>(
        "insert_keyed_jobs",
        """
        WITH \(sql: moment(of: KeyedColumns.columns)),
        deduplicated AS MATERIALIZED (
            SELECT s.* FROM moment m
            CROSS JOIN LATERAL deduplicate_jobs(m.at, \(sql: KeyedColumns.deduplicated)) s),
        given AS MATERIALIZED (
            SELECT g.*, \(sql: FullColumns.derived)
            FROM moment m, deduplicated s,
                 unnest(\(sql: KeyedColumns.inserted.arrays), s.is_new)
                     AS g (\(sql: KeyedColumns.inserted.names), is_new)
            WHERE g.is_new),
        \(sql: insertion)
        SELECT m.at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > m.at) AS anyone_waiting,
               s.ids, s.created_at, s.existed, s.traced, s.is_other
        FROM moment m, deduplicated s
        """)

    // MARK: Shared

    /// The instant of the statement, if all subqueues take jobs; otherwise empty, and so is everything that reads it.
    /// The parameter after the batch has the different subqueues, which are few: each costs a probe.
    private static func moment(of columns: ColumnBatch<Item>) -> SQLFragment {
        """
        moment AS MATERIALIZED (
            SELECT clock_timestamp() AS at
            WHERE \(sql: CreationLock.condition(subqueues: "\(sql: columns.nextParameter)::int[]")))
        """
    }

    /// Evaluated once for a table of the first statement, where a join with `moment` would be evaluated for each job.
    private static let isOpen: SQLFragment = "(SELECT at FROM moment) IS NOT NULL"

    /// Of the last two.
    private static let insertion: SQLFragment = """
        stored AS (
            INSERT INTO job (created_at, \(sql: FullColumns.storedNames), unique_key)
            SELECT (SELECT at FROM moment), \(sql: FullColumns.storedValues), unique_key
            FROM given),
        queued AS (
            \(sql: JobRows.ready(from: "given WHERE NOT ahead", at: "(SELECT at FROM moment)", attempt: "0"))),
        later AS (
            \(sql: JobRows.scheduled(from: "given WHERE ahead", attempt: "0"))),
        delta_rows AS (
            \(sql: JobRows.deltas(
                JobRows.counts(
                    from: "given", transition: "CASE WHEN ahead THEN 'delayed' ELSE 'enqueued' END::job_transition"))))
        """

    // MARK: The choice

    /// A statement with its batch, and which rows it returns.
    struct Encoded {
        let statement: BoundStatement
        /// The row is a `KeyedRow`, else an `InsertedRow`.
        let isKeyed: Bool

        /// nil: a subqueue is missing or retired, and nothing was created.
        func decode(_ rows: Rows) throws(PostgresError) -> (InsertedRow, KeyedRow?)? {
            guard isKeyed else { return try rows.decodeFirst(as: InsertedRow.self).map { ($0, nil) } }
            return try rows.decodeFirst(as: KeyedRow.self).map { ($0.inserted, $0) }
        }
    }

    static func encode(_ items: [Item]) -> Encoded {
        let byteCount = items.reduce(0) { $0 + $1.job.bytes } + 64 * items.count + 1_024
        let subqueues = subqueues(of: items)
        if items.contains(where: { $0.slot != nil || $0.job.uniqueKey != nil }) {
            return Encoded(statement: keyed(Batch(items, reservingBytes: byteCount), subqueues), isKeyed: true)
        }
        if items.allSatisfy(\.job.isPlain) {
            if subqueues.count == 1, let first = items.first {
                let statement = uniform(
                    Batch(items, reservingBytes: byteCount), first.subqueue, first.job.priority)
                return Encoded(statement: statement, isKeyed: false)
            }
            return Encoded(statement: plain(Batch(items, reservingBytes: byteCount), subqueues), isKeyed: false)
        }
        return Encoded(statement: full(Batch(items, reservingBytes: byteCount), subqueues), isKeyed: false)
    }

    /// The different subqueues. They are few, and neighbours usually have the same, so a hash table would cost more.
    private static func subqueues(of items: [Item]) -> [Int32] {
        var found: [Int32] = []
        for item in items where item.subqueue != found.last && !found.contains(item.subqueue) {
            found.append(item.subqueue)
        }
        return found
    }

    // MARK: Rows

    /// The row of an insertion.
    struct InsertedRow: RowDecodable {
        let createdAt: WallInstant
        let isAnyoneWaiting: Bool

        init(_ columns: inout ColumnCursor) throws(PostgresError) {
            createdAt = try columns.next()
            isAnyoneWaiting = try columns.next()
        }
    }

    /// The row of an insertion with keys: an element of each array for each item.
    struct KeyedRow: RowDecodable {
        let inserted: InsertedRow
        private let ids: [UUID?]
        private let times: [WallInstant?]
        private let existed: [Bool?]
        private let traces: [String?]
        private let others: [Bool?]

        init(_ columns: inout ColumnCursor) throws(PostgresError) {
            inserted = try InsertedRow(&columns)
            ids = try columns.next()
            times = try columns.next()
            existed = try columns.next()
            traces = try columns.next()
            others = try columns.next()
        }

        func results(count: Int) throws(PostgresError) -> [CreateResult] {
            var results: [CreateResult] = []
            results.reserveCapacity(count)
            for index in 0..<count {
                switch (ids[index], times[index]) {
                case (_, _) where others[index] == true: results.append(.otherRequest)
                case (let id?, _) where existed[index] == true: results.append(.existing(id))
                case (let id?, let time?): results.append(.created(id, at: time, traceParent: traces[index]))
                default: throw .unexpectedValue(column: "ids", reason: "has no result for the job at \(index)")
                }
            }
            return results
        }
    }
}
