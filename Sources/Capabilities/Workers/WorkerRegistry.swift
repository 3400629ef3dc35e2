public import Postgres
internal import Telemetry

/// Which workers are alive, and what they have counted: the statements on the table `worker`.
///
/// A worker is alive while its heartbeats come, by PostgreSQL's clock. It says goodbye when it stops; the reaper says it
/// for those that cannot. Either moves its counters to `deregistered_counter`, so that the sums over all workers never fall.
public struct WorkerRegistry: Sendable {
    /// For how long a worker counts as alive after a heartbeat.
    public static let aliveSeconds = 30.0
    /// Between two heartbeats.
    public static let heartbeatSeconds = 5.0

    let pool: ConnectionPool

    /// - Parameter pool: with the profile `.hot`.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    // MARK: The worker itself

    private static let joinStatement = Statement(
        "join_worker",
        """
        INSERT INTO worker (incarnation, name, host, version, queues, types, concurrency, started_at, heartbeat_at,
                            expires_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, at, at, at + make_interval(secs => $8)
        FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        ON CONFLICT (incarnation) DO UPDATE
        SET heartbeat_at = EXCLUDED.heartbeat_at, expires_at = EXCLUDED.expires_at
        RETURNING id
        """, [.uuid, .text, .text, .text, .textArray, .textArray, .int4, .float8], isIdempotent: true)

    /// Registers an incarnation, and returns the id that its leases carry.
    public func join(_ worker: WorkerDescription) async throws(PostgresError) -> Int64 {
        var parameters = Parameters()
        parameters.append(worker.incarnation)
        parameters.append(text: worker.name)
        parameters.append(text: worker.host)
        parameters.append(text: worker.version)
        for names in [worker.queues, worker.types] {
            if let names { parameters.append(names) } else { parameters.appendNull(.textArray) }
        }
        parameters.append(worker.concurrency)
        parameters.append(Self.aliveSeconds)
        return try await pool.execute(Self.joinStatement, parameters).onlyRow().int8(0)
    }

    private static let heartbeatStatement = Statement(
        "record_worker_heartbeat",
        """
        UPDATE worker
        SET heartbeat_at = m.at, expires_at = m.at + make_interval(secs => $2), running = $3, counters = $4::jsonb,
            types = COALESCE($5, types)
        FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        WHERE id = $1 AND deregistered_at IS NULL
        RETURNING id
        """, [.int8, .float8, .int4, .text, .textArray], isIdempotent: true)

    /// Tells that the worker lives, how many jobs it runs, what it has counted since it joined (one JSON object of
    /// numbers) and which types it has handlers for (nil: as before). False: it was taken for dead meanwhile, and must join as a new incarnation that counts from zero.
    public func heartbeat(
        id: Int64, running: Int32, counters: [UInt8], types: [String]? = nil
    ) async throws(PostgresError) -> Bool {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(Self.aliveSeconds)
        parameters.append(running)
        parameters.append(textBytes: counters)
        if let types { parameters.append(types) } else { parameters.appendNull(.textArray) }
        return try await !pool.execute(Self.heartbeatStatement, parameters).isEmpty
    }

    private static let waitingStatement = Statement(
        "set_worker_waiting",
        "UPDATE worker SET waiting = $2 WHERE id = $1 AND waiting <> $2 AND deregistered_at IS NULL",
        [.int8, .bool], isIdempotent: true)

    /// Tells whether the worker may sleep until it is notified. A hint: who polls as well loses nothing by it.
    public func setWaiting(id: Int64, _ isWaiting: Bool) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(isWaiting)
        _ = try await pool.execute(Self.waitingStatement, parameters)
    }

    private static let deregisterStatement = Statement(
        "deregister_worker",
        """
        WITH deleted AS MATERIALIZED (
            UPDATE worker
            SET deregistered_at = clock_timestamp(), waiting = false, running = 0, counters = $2::jsonb
            WHERE id = $1 AND deregistered_at IS NULL
            RETURNING id),
        rolled_up AS (
            INSERT INTO deregistered_counter AS d (series, value)
            SELECT e.key, e.value::float8 FROM deleted, jsonb_each_text($2::jsonb) e ORDER BY e.key
            ON CONFLICT (series) DO UPDATE SET value = d.value + EXCLUDED.value)
        SELECT id FROM deleted
        """, [.int8, .text], isIdempotent: true)

    /// Says goodbye, with the last counters.
    public func deregister(id: Int64, counters: [UInt8]) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(textBytes: counters)
        _ = try await pool.execute(Self.deregisterStatement, parameters)
    }

    // MARK: Whoever asks

    private static let aliveStatement = Statement(
        "list_live_workers",
        """
        SELECT id, incarnation, name, host, version, queues, types, concurrency, running, waiting, started_at,
               heartbeat_at, pause_version
        FROM worker WHERE deregistered_at IS NULL AND expires_at > clock_timestamp() ORDER BY id
        """, isIdempotent: true)

    /// In the order in which they joined.
    public func alive() async throws(PostgresError) -> [LiveWorker] {
        var workers: [LiveWorker] = []
        for row in try await pool.execute(Self.aliveStatement) {
            let description = WorkerDescription(
                incarnation: try row.uuid(1), name: try row.text(2), host: try row.text(3), version: try row.text(4),
                queues: try row.isNull(5) ? nil : row.textArray(5).compactMap { $0 },
                types: try row.isNull(6) ? nil : row.textArray(6).compactMap { $0 }, concurrency: try row.int4(7))
            workers.append(
                LiveWorker(
                    id: try row.int8(0), description: description, running: try row.int4(8),
                    isWaiting: try row.bool(9), startedAt: try row.timestamptz(10),
                    heartbeatAt: try row.timestamptz(11), pauseVersion: try row.int8(12)))
        }
        return workers
    }

    private static let seriesStatement = Statement(
        "sum_worker_counters",
        """
        SELECT series, sum(value)
        FROM (SELECT series, value FROM deregistered_counter
              UNION ALL
              SELECT e.key, e.value::float8 FROM worker, jsonb_each_text(counters) e WHERE deregistered_at IS NULL) s
        GROUP BY series
        """, isIdempotent: true)

    /// What all workers, living and departed, have counted, by series (`name{label="value"}`).
    public func series() async throws(PostgresError) -> [(series: String, value: Double)] {
        var sums: [(series: String, value: Double)] = []
        for row in try await pool.execute(Self.seriesStatement) {
            sums.append((try row.text(0), try row.float8(1)))
        }
        return sums
    }
}
