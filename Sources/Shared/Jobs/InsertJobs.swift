public import Postgres
public import Telemetry

extension JobStore {
    /// Creates a job, and returns when it is committed. Jobs that the process creates meanwhile share the
    /// transaction.
    ///
    /// Throws an error with `isOutcomeUnknown` when PostgreSQL went away in the middle of the commit and did not come
    /// back in time: the job may exist.
    public func insert(_ job: NewJob) async throws(PostgresError) -> Job {
        var band = bands.id(for: job)
        if band == nil { band = try await bands.ids(for: [job], on: hot).first }
        guard let band else { throw .misuse("a band was registered and not found") }
        let item = InsertJobs.Item(id: identifiers.next(), band: band, job: job)
        let createdAt = try await inserts.submit(item, weight: job.bytes).get()
        return Job(created: job, id: item.id, at: createdAt)
    }

    /// Creates all of `jobs`, or none, in one transaction. At most `JobLimits.bulkJobsMax`.
    public func insertAll(_ jobs: [NewJob]) async throws(PostgresError) -> (ids: [UUID], createdAt: WallInstant) {
        let ids = try await bands.ids(for: jobs, on: hot)
        let items = zip(ids, jobs).map { InsertJobs.Item(id: identifiers.next(), band: $0, job: $1) }
        let insert = InsertJobs(pool: hot, clock: bands.clock, notifier: notifier)
        return (items.map(\.id), try await insert.insertOnce(items).get())
    }
}

/// Jobs that are created one by one, by any loop of the process, and wait for the statement that they will share.
public struct MergedInserts: Sendable {
    let group = GroupCommit<InsertJobs.Item, InsertJobs.Answer>(
        itemsMax: InsertJobs.rowsMax, weightMax: InsertJobs.bytesMax, inFlightMax: InsertJobs.inFlightMax)

    public init() {}
}

/// Inserts batches of jobs.
///
/// The ids come from us, so a batch whose commit was not acknowledged is simply sent again: either it inserts all, or
/// the primary key says that it has been done (23505), since a batch is one transaction.
struct InsertJobs: Sendable {
    struct Item: Sendable {
        let id: UUID
        let band: Int32
        let job: NewJob
    }

    typealias Answer = Result<WallInstant, PostgresError>

    /// Of one merged statement.
    static let rowsMax = 500
    /// Of the payloads of one merged statement.
    static let bytesMax = 4 * 1_048_576
    /// Merged statements under way at once, if there are as many connections.
    static let inFlightMax = 6
    /// How often a batch is sent whose commit was not acknowledged.
    private static let attemptsMax = 3

    let pool: DatabasePool
    let clock: ServerClock
    let notifier: ReadyNotifier?

    /// One row of `ready` and `job` each, and one of `tally` for each band: nobody waits for anybody. `anyone_waiting`
    /// tells whether a worker sleeps and should be notified.
    private static let plain = Statement(
        "insert_plain_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        stored AS (
            INSERT INTO job (id, created_at, band_id, payload)
            SELECT g.id, (SELECT at FROM moment), g.band_id, g.payload
            FROM unnest($1::uuid[], $2::int[], $3::json[]) AS g (id, band_id, payload)),
        queued AS (
            INSERT INTO ready (id, ready_at, band_id, attempt)
            SELECT g.id, (SELECT at FROM moment), g.band_id, 0
            FROM unnest($1::uuid[], $2::int[]) AS g (id, band_id)),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, 'enqueued', count(*) FROM unnest($2::int[]) AS g (band_id) GROUP BY band_id)
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """, [.uuidArray, .int4Array, .jsonArray])

    /// All columns. A job whose `run_at` lies ahead goes to `scheduled`, by PostgreSQL's clock.
    private static let full = Statement(
        "insert_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        given AS MATERIALIZED (
            SELECT g.*, COALESCE(g.run_at > m.at, false) AS ahead,
                   lane_of((SELECT queue_id FROM band WHERE id = g.band_id), g.concurrency_key) AS lane
            FROM moment m, unnest($1::uuid[], $2::int[], $3::json[], $4::timestamptz[], $5::int[], $6::smallint[],
                                  $7::text[], $8::float8[], $9::float8[], $10::text[], $11::text[], $12::text[],
                                  $13::int[], $14::json[])
                AS g (id, band_id, payload, run_at, timeout_seconds, max_attempts, backoff_kind,
                      backoff_base_seconds, backoff_max_seconds, tags, trace_parent, concurrency_key,
                      cancel_grace_seconds, teardown)),
        stored AS (
            INSERT INTO job (id, created_at, run_at, band_id, timeout_seconds, max_attempts, backoff_kind,
                             backoff_base_seconds, backoff_max_seconds, payload, tags, trace_parent,
                             concurrency_key, cancel_grace_seconds, teardown)
            SELECT id, (SELECT at FROM moment), run_at, band_id, timeout_seconds, max_attempts,
                   backoff_kind::backoff_kind, backoff_base_seconds, backoff_max_seconds, payload, tags::text[],
                   trace_parent, concurrency_key, cancel_grace_seconds, teardown
            FROM given),
        queued AS (
            INSERT INTO ready (id, ready_at, band_id, attempt, lane)
            SELECT id, (SELECT at FROM moment), band_id, 0, lane FROM given WHERE NOT ahead),
        later AS (
            INSERT INTO scheduled (id, run_at, band_id, attempt, lane)
            SELECT id, run_at, band_id, 0, lane FROM given WHERE ahead),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, CASE WHEN ahead THEN 'delayed' ELSE 'enqueued' END::job_step, count(*)
            FROM given GROUP BY 1, 2)
        SELECT at, EXISTS (SELECT FROM worker WHERE waiting AND expires_at > at) AS anyone_waiting
        FROM moment
        """,
        [
            .uuidArray, .int4Array, .jsonArray, .timestamptzArray, .int4Array, .int2Array, .textArray, .float8Array,
            .float8Array, .textArray, .textArray, .textArray, .int4Array, .jsonArray,
        ])

    private static let creation = Statement(
        "find_creation", "SELECT created_at FROM job WHERE id = $1", [.uuid], isIdempotent: true)

    /// Inserts a merged batch. One that the server refuses is tried again row by row, so that a bad row fails alone.
    func commit(_ items: [Item]) async -> [Answer] {
        let answer = await insertOnce(items)
        guard case .failure(let error) = answer, items.count > 1, Self.mayBeOneRowsFault(error) else {
            return Array(repeating: answer, count: items.count)
        }
        var answers: [Answer] = []
        for item in items { answers.append(await insertOnce([item])) }
        return answers
    }

    /// Data that PostgreSQL refuses (class 22), constraints (23) and limits (54); everything else would meet each row.
    private static func mayBeOneRowsFault(_ error: PostgresError) -> Bool {
        guard let state = error.sqlState else { return false }
        return ["22", "23", "54"].contains(state.category)
    }

    /// All of `items`, or none. Sent again while its outcome is unknown.
    func insertOnce(_ items: [Item]) async -> Answer {
        let (statement, parameters) = encode(items)
        // That of an earlier try. Whatever keeps a later one from being sent does not undo what that has done.
        var unknown: PostgresError?
        var triesLeft = Self.attemptsMax
        while true {
            do throws(PostgresError) {
                let sent = WallInstant.now()
                let row = try await pool.execute(statement, parameters).onlyRow()
                let createdAt = try row.timestamptz(0)
                clock.learn(serverTime: createdAt, sentAt: sent)
                if try row.bool(1) { notifier?.notify(items.lazy.map(\.job.queue)) }
                return .success(createdAt)
            } catch {
                if unknown != nil, error.sqlState == .uniqueViolation { return await creationTime(of: items[0].id) }
                guard error.isOutcomeUnknown else {
                    return .failure(Self.mayBeOneRowsFault(error) ? error : unknown ?? error)
                }
                triesLeft -= 1
                guard triesLeft > 0 else { return .failure(error) }
                unknown = error
            }
        }
    }

    /// When a batch was created that an earlier try has committed.
    private func creationTime(of id: UUID) async -> Answer {
        do throws(PostgresError) {
            var parameters = Parameters()
            parameters.append(id)
            return .success(try await pool.execute(Self.creation, parameters).onlyRow().timestamptz(0))
        } catch {
            // Nothing but that it exists could be learnt, and that only here.
            return .failure(.connectionLost(reason: "\(error)", outcomeUnknown: true))
        }
    }

    private func encode(_ items: [Item]) -> (Statement, Parameters) {
        let payloadBytes = items.reduce(0) { $0 + $1.job.bytes }
        var parameters = Parameters(reservingBytes: payloadBytes + 64 * items.count + 1_024)
        parameters.appendArray(of: .uuid) { for item in items { $0.append(item.id) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.band) } }
        parameters.appendArray(of: .json) { for item in items { $0.append(bytes: item.job.payload) } }
        guard !items.allSatisfy(\.job.isPlain) else { return (Self.plain, parameters) }
        parameters.appendArray(of: .timestamptz) { for item in items { $0.append(item.job.runAt) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.job.timeoutSeconds) } }
        parameters.appendArray(of: .int2) { for item in items { $0.append(item.job.maxAttempts) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.backoff.kindName) } }
        parameters.appendArray(of: .float8) { for item in items { $0.append(item.job.backoff.baseSeconds) } }
        parameters.appendArray(of: .float8) { for item in items { $0.append(item.job.backoff.maxSeconds) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: Self.arrayLiteral(item.job.tags)) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.traceParent) } }
        parameters.appendArray(of: .text) { for item in items { $0.append(text: item.job.concurrencyKey) } }
        parameters.appendArray(of: .int4) { for item in items { $0.append(item.job.cancelGraceSeconds) } }
        parameters.appendArray(of: .json) { for item in items { $0.append(bytes: item.job.teardown) } }
        return (Self.full, parameters)
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
