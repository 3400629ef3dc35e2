public import Postgres
public import Values

/// The live workers and their counters: the statements on the table `worker`.
///
/// A worker is alive while its heartbeats arrive, by PostgreSQL's clock. It deregisters when it stops; the reaper does
/// it for workers that are considered dead: those whose heartbeats have been missing for `aliveSeconds` of the liveness
/// clock (`reaper_heartbeat.liveness_seconds`), in which time that PostgreSQL was down does not count. Both move its
/// counters to `deregistered_counter`, so that the sums over all workers never fall.
public struct WorkerRegistry: Sendable {
    /// How long a worker counts as alive after a heartbeat.
    public static let aliveSeconds = 30.0
    /// Between two heartbeats.
    public static let heartbeatSeconds = 5.0
    /// For the answer to a heartbeat. A server that is silent must be left in time to reach its successor while the
    /// worker still counts as alive.
    static let answerLimit = Duration.seconds(8)

    let pool: ConnectionPool

    /// - Parameter pool: with the profile `.hot`.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    // MARK: The worker itself

    private static let joinStatement = Statement<WorkerDescription, Double>(
        "join_worker",
        """
        INSERT INTO worker (incarnation, name, host, version, queues, types, kept_types, concurrency, started_at,
                            heartbeat_at, expires_at, dead_after)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, at, at, at + make_interval(secs => $9),
               (SELECT liveness_seconds FROM reaper_heartbeat) + $9
        FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        ON CONFLICT (incarnation) DO UPDATE
        SET heartbeat_at = EXCLUDED.heartbeat_at, expires_at = EXCLUDED.expires_at, dead_after = EXCLUDED.dead_after
        RETURNING id
        """, isIdempotent: true)

    /// Registers an incarnation, and returns the id that its leases carry.
    public func join(_ worker: WorkerDescription) async throws(PostgresError) -> Int64 {
        try await pool.execute(Self.joinStatement(worker, Self.aliveSeconds)).decodeOnly()
    }

    private static let heartbeatStatement = Statement<
        Int64, Double, Int32, TextBytes, [String]?, [String]?, Double, Bool
    >(
        "record_worker_heartbeat",
        """
        UPDATE worker
        SET heartbeat_at = m.at, expires_at = m.at + make_interval(secs => $2),
            dead_after = (SELECT liveness_seconds FROM reaper_heartbeat) + $2, running = $3, counters = $4::jsonb,
            types = COALESCE($5, types), kept_types = COALESCE($6, kept_types), loop_turn_seconds = $7,
            paused_by_file = $8
        FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        WHERE id = $1 AND deregistered_at IS NULL
        RETURNING id
        """, isIdempotent: true)

    /// Records that the worker is alive.
    /// - Parameters:
    ///   - running: number of jobs that it runs.
    ///   - counters: what it has counted since it joined: one JSON object of numbers.
    ///   - types: the types that it has handlers for; nil: unchanged.
    ///   - keptTypes: of those, the ones with `Takeover.lease`; nil: unchanged.
    ///   - loopTurnSeconds: the longest turn of its event loop in the last one to two minutes.
    ///   - isPausedByFile: whether its own control file lets it lease nothing.
    /// - Returns: false if it was considered dead meanwhile. Then it must join as a new incarnation that counts from
    ///   zero.
    public func heartbeat(
        id: Int64, running: Int32, counters: [UInt8], types: [String]? = nil, keptTypes: [String]? = nil,
        loopTurnSeconds: Double = 0, isPausedByFile: Bool = false
    ) async throws(PostgresError) -> Bool {
        let statement = Self.heartbeatStatement(
            id, Self.aliveSeconds, running, TextBytes(counters), types, keptTypes, loopTurnSeconds,
            isPausedByFile)
        return try await !pool.execute(statement, timeout: Self.answerLimit).isEmpty
    }

    private static let waitingStatement = Statement<Int64, Bool>(
        "set_worker_waiting",
        "UPDATE worker SET waiting = $2 WHERE id = $1 AND waiting <> $2 AND deregistered_at IS NULL",
        isIdempotent: true)

    /// Records whether the worker may sleep until it is notified. A hint: workers also poll.
    public func setWaiting(id: Int64, _ isWaiting: Bool) async throws(PostgresError) {
        _ = try await pool.execute(Self.waitingStatement(id, isWaiting))
    }

    private static let deregisterStatement = Statement<Int64, TextBytes>(
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
        """, isIdempotent: true)

    /// Deregisters the worker, with its last counters.
    public func deregister(id: Int64, counters: [UInt8]) async throws(PostgresError) {
        _ = try await pool.execute(Self.deregisterStatement(id, TextBytes(counters)))
    }

    private static let endedStatement = Statement<[UUID]>(
        "report_ended_workers",
        """
        UPDATE worker SET dead_after = -1, expires_at = LEAST(expires_at, clock_timestamp())
        WHERE incarnation = ANY($1) AND deregistered_at IS NULL
        RETURNING id
        """, isIdempotent: true)

    /// Reports incarnations that have ended without deregistering: they are considered dead from now on.
    /// - Returns: the ids of those that were not deregistered yet.
    public func reportEnded(_ incarnations: [UUID]) async throws(PostgresError) -> [Int64] {
        try await pool.execute(Self.endedStatement(incarnations)).decode()
    }

    // MARK: Other programs

    private static let aliveStatement = Statement(
        "list_live_workers",
        """
        SELECT id, incarnation, name, host, version, queues, types, kept_types, concurrency, running, waiting,
               started_at, heartbeat_at, pause_version, loop_turn_seconds, paused_by_file
        FROM worker WHERE deregistered_at IS NULL AND expires_at > clock_timestamp() ORDER BY id
        """, isIdempotent: true)

    /// The live workers, in the order in which they joined.
    public func alive() async throws(PostgresError) -> [LiveWorker] {
        try await pool.execute(Self.aliveStatement()).decode()
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

    /// The sums of the counters of all workers, live and deregistered, by series (`name{label="value"}`).
    public func series() async throws(PostgresError) -> [(series: String, value: Double)] {
        try await pool.execute(Self.seriesStatement()).decode((String, Double).self)
            .map { (series: $0.0, value: $0.1) }
    }
}
