public import Postgres
internal import Telemetry

/// What a worker asks for.
public struct LeaseRequest: Sendable {
    /// Ids of queues; nil: all.
    public var queues: [Int32]?
    /// Ids of types that the worker cannot run.
    public var excludedTypes: [Int32]
    /// At most so many jobs.
    public var count: Int
    /// The worker that will hold them.
    public var worker: Int64
    /// After so long the lease has expired, unless it was renewed.
    public var leaseSeconds: Double

    public init(queues: [Int32]?, excludedTypes: [Int32], count: Int, worker: Int64, leaseSeconds: Double) {
        self.queues = queues
        self.excludedTypes = excludedTypes
        self.count = count
        self.worker = worker
        self.leaseSeconds = leaseSeconds
    }
}

extension JobStore {
    /// Takes jobs out of `ready` and gives each a lease, all with one token from a sequence that only grows.
    ///
    /// The best band comes first: lowest priority, then the one whose first job waits longest. From each as many rows
    /// are locked as are still wanted, which skips what others are taking at this instant. Nothing below a band's
    /// low-water mark is looked at, so that the dead rows before it cost nothing while a long transaction keeps them
    /// from being removed. `ctid = ANY (ARRAY(...))` makes the deletion a direct visit of the rows just locked. When there
    /// is nothing to lease no token is drawn, so nothing is written and the commit waits for no disk.
    private static let leaseStatement = Statement(
        "lease_jobs",
        """
        WITH picked AS MATERIALIZED (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT r.at
                FROM (SELECT b.id, b.low
                      FROM band b
                      CROSS JOIN LATERAL (SELECT seq FROM ready
                                          WHERE band_id = b.id AND seq >= b.low
                                          ORDER BY seq LIMIT 1) head
                      WHERE ($1::int[] IS NULL OR b.queue_id = ANY ($1))
                        AND b.type_id <> ALL ($2::int[])
                      ORDER BY b.priority, head.seq) b
                CROSS JOIN LATERAL (SELECT ctid AS at FROM ready
                                    WHERE band_id = b.id AND seq >= b.low
                                    ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED) r
                LIMIT $3))
            RETURNING id, ready_at, band_id, attempt),
        granted AS MATERIALIZED (
            SELECT nextval('lease_token') AS token, clock_timestamp() AS at WHERE EXISTS (SELECT FROM picked)),
        leased AS (
            INSERT INTO lease (id, token, worker_id, leased_at, expires_at, band_id, attempt)
            SELECT p.id, g.token, $4::bigint, g.at, g.at + make_interval(secs => $5), p.band_id, p.attempt + 1
            FROM picked p, granted g),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, 'leased', count(*) FROM picked GROUP BY band_id)
        SELECT p.id, g.token, p.band_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
               p.ready_at, g.at, j.payload, j.trace_parent
        FROM picked p
        JOIN job j ON j.id = ANY (ARRAY[p.id])
        CROSS JOIN granted g
        """, [.int4Array, .int4Array, .int4, .int8, .float8])

    /// Leases at most `request.count` jobs. Fewer: nothing more was ready, or others were just taking it.
    public func lease(_ request: LeaseRequest) async throws(PostgresError) -> [LeasedJob] {
        var parameters = Parameters()
        if let queues = request.queues { parameters.append(queues) } else { parameters.appendNull(.int4Array) }
        parameters.append(request.excludedTypes)
        parameters.append(Int32(request.count))
        parameters.append(request.worker)
        parameters.append(request.leaseSeconds)
        let rows = try await hot.execute(Self.leaseStatement, parameters)
        guard !rows.isEmpty else { return [] }
        var bandIDs: Set<Int32> = []
        for row in rows { bandIDs.insert(try row.int4(2)) }
        try await bands.load(bandIDs, on: hot)
        var jobs: [LeasedJob] = []
        jobs.reserveCapacity(rows.count)
        for row in rows {
            guard let band = bands.band(try row.int4(2)) else {
                throw .unexpectedValue(column: 2, reason: "a job's band does not exist")
            }
            jobs.append(try LeasedJob(row, band))
        }
        return jobs
    }
}

extension LeasedJob {
    fileprivate init(_ row: Row, _ band: Band) throws(PostgresError) {
        let leasedAt = try row.timestamptz(7)
        let readyAt = try row.timestamptz(6)
        self.init(
            id: try row.uuid(0), type: band.type, typeID: band.typeID, queue: band.queue, payload: try row.bytes(8),
            attempt: try row.int2(3), maxAttempts: try row.int2(4), token: try row.int8(1),
            timeoutSeconds: try row.int4(5), traceParent: try row.optionalText(9),
            waitSeconds: Double(leasedAt.microseconds - readyAt.microseconds) / 1e6)
    }
}
