public import Postgres
internal import Values

extension JobStore {
    /// Takes jobs out of `ready` and gives each a lease, all with one token from a sequence that only grows.
    ///
    /// `ready_subqueues` finds the subqueues that have jobs (`0008_fairness.sql`). The best comes first: lowest
    /// priority, then the one whose first job has waited longest. From each, as many rows are locked as are still
    /// wanted, which skips rows that other workers are taking at this instant. Nothing before a subqueue's first job is
    /// read again, and nothing below its low-water mark at all, so that the dead rows before it cost nothing while a
    /// long transaction keeps them from being removed. `ctid = ANY (ARRAY(...))` makes the deletion a direct visit of
    /// the rows just locked. When there is nothing to lease no token is drawn, so nothing is written and the commit
    /// waits for no disk.
    ///
    /// Paused subqueues are not in `leasable_subqueue`, from which `ready_subqueues` reads; `PauseGate` explains why a
    /// pause cannot be missed. Restricted subqueues (with keys or limits) are skipped, and so are the subqueues that do
    /// not come before them; a row without an id says that one of them has work, or where the walk was cut.
    private static let leaseUnrestricted = Statement<LeaseRequest, WalkPosition?, WalkPosition?, Int32>(
        "lease_jobs",
        """
        WITH found AS MATERIALIZED (
            SELECT * FROM ready_subqueues($1, $2, $6, $7, $8, $9, $10, 256)),
        \(sql: leased)
        SELECT NULL, NULL, f.subqueue_id, f.priority, NULL, NULL, NULL, NULL, NULL, NULL, o.priority IS NOT NULL, false
        FROM others o LEFT JOIN found f ON f.queue_id IS NULL
        WHERE o.priority IS NOT NULL OR f.subqueue_id IS NOT NULL
        """)

    /// The same for given queues, if they have few subqueues: these are all probed, without a function, which takes a
    /// third of the time. A row without an id says that restricted ones have work, or that there are many.
    private static let leaseFromFew = Statement<LeaseRequest>(
        "lease_jobs_of_few_subqueues",
        """
        WITH named AS MATERIALIZED (
            SELECT id, priority, unrestricted FROM leasable_subqueue
            WHERE queue_id = ANY ($1) AND type_id <> ALL ($2) LIMIT \(sql: fewMax) + 1),
        few AS MATERIALIZED (
            SELECT count(*) <= \(sql: fewMax) AS are_few FROM named),
        found AS MATERIALIZED (
            SELECT n.id AS subqueue_id, n.priority, n.unrestricted, h.seq
            FROM named n
            CROSS JOIN LATERAL (SELECT COALESCE((SELECT w.seq FROM low_water_mark w
                                                 WHERE w.priority = n.priority AND w.subqueue_id = n.id), 0) AS mark
                                OFFSET 0) m
            CROSS JOIN LATERAL (SELECT r.seq FROM ready r
                                WHERE r.priority = n.priority AND r.subqueue_id = n.id AND r.seq >= m.mark
                                ORDER BY r.seq LIMIT 1) h
            WHERE (SELECT are_few FROM few)),
        \(sql: leased)
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, o.priority IS NOT NULL, NOT f.are_few
        FROM others o, few f WHERE o.priority IS NOT NULL OR NOT f.are_few
        """)

    /// Above it, a walk that visits only the subqueues with jobs is cheaper.
    private static let fewMax: SQLFragment = "100"

    /// From `found`, the subqueues with jobs.
    private static let leased: SQLFragment = """
        others AS MATERIALIZED (
            SELECT min(priority) AS priority FROM found WHERE NOT unrestricted),
        picked AS MATERIALIZED (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT r.at
                FROM (SELECT f.priority, f.subqueue_id, f.seq
                      FROM found f
                      WHERE f.unrestricted AND f.priority < COALESCE((SELECT priority FROM others), 32768)
                        AND \(sql: PauseGate.condition)
                      ORDER BY f.priority, f.seq) f
                CROSS JOIN LATERAL (SELECT ctid AS at FROM ready
                                    WHERE priority = f.priority AND subqueue_id = f.subqueue_id AND seq >= f.seq
                                    ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED) r
                LIMIT $3))
            RETURNING id, ready_at, subqueue_id, attempt),
        granted AS MATERIALIZED (
            SELECT \(sql: TokenEpoch.nextToken) AS token, clock_timestamp() AS at WHERE EXISTS (SELECT FROM picked)),
        leased AS (
            INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
            SELECT p.id, g.token, $4::bigint, g.at, g.at + make_interval(secs => $5), p.subqueue_id, p.attempt + 1
            FROM picked p, granted g),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(of: "'leased'", from: "picked"))))
        SELECT p.id, g.token, p.subqueue_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
               p.ready_at, g.at, inline_payload(j.payload), j.trace_parent, false AS is_restricted_work_ready,
               false AS are_many
        FROM picked p
        JOIN job j ON j.id = ANY (ARRAY[p.id])
        CROSS JOIN granted g
        UNION ALL
        """

    private static let leaseFairly = Statement<
        LeaseRequest, WalkPosition?, WalkPosition?, [Int64], [Int64], Int64
    >(
        "lease_jobs_fairly",
        """
        SELECT id, token, subqueue_id, attempt, max_attempts, timeout_seconds, ready_at, leased_at, payload,
               trace_parent, limited_queue, fairness_group, fairness_key,
               CASE WHEN id IS NULL THEN (SELECT name FROM queue q WHERE q.id = limited_queue) END AS queue
        FROM lease_fairly($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        WHERE \(sql: PauseGate.condition)
        """)

    /// Statements of one lease. With 256 steps or more each, they pass many subqueues from which nothing may start.
    private static let statementsMax = 64

    /// Leases at most `request.count` jobs. Fewer: no more may start now, or other workers were just taking them.
    ///
    /// An error after the first jobs ends the lease early, and comes again with the next one.
    /// - Parameter cursor: the worker's, which it keeps from one lease to the next.
    public func lease(
        _ request: LeaseRequest, cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        var answer = LeaseAnswer(jobs: [])
        var walk = cursor.takeWalk(of: request.queues)
        for _ in 0..<Self.statementsMax {
            var rest = request
            rest.count -= answer.jobs.count
            do throws(PostgresError) {
                answer.add(try await lease(rest, &walk, &cursor))
            } catch {
                if answer.jobs.isEmpty { throw error }
                return answer
            }
            if answer.jobs.count == request.count {
                cursor.next = walk.position
                break
            }
            // The end of a walk that has skipped some: another one is to visit all.
            if walk.position == nil, walk.next == nil { break }
            if walk.position == nil { walk = Walk() }
        }
        return answer
    }

    /// One window of the walk, or some.
    private func lease(
        _ request: LeaseRequest, _ walk: inout Walk, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        if cursor.isRestrictedWorkReady { return try await leaseFairly(request, &walk, &cursor) }
        let isWhole = request.queues != nil && walk.position == nil && walk.next == nil
        let statement =
            isWhole && cursor.takeProbe()
            ? Self.leaseFromFew(request)
            : Self.leaseUnrestricted(request, walk.position, walk.next, Int32(cursor.window.count))
        let rows = try await hot.execute(statement)
        var leased: [LeasedRow] = []
        var cut: WalkPosition?
        for row in try rows.decode(as: UnrestrictedRow.self) {
            switch row {
            case .job(let job): leased.append(job)
            case .many:
                cursor.subqueuesWereMany()
                return try await lease(request, &walk, &cursor)
            case .note(let position, let isRestrictedWorkReady):
                cut = position
                cursor.isRestrictedWorkReady = isRestrictedWorkReady
            }
        }
        cursor.window.visited(
            used: Set(leased.lazy.map(\.subqueueID)).count, isFilled: leased.count == request.count, isCut: cut != nil)
        var answer = LeaseAnswer(jobs: try await jobs(leased))
        // The other statement takes the same windows, and the rest of their jobs.
        guard cursor.isRestrictedWorkReady else {
            walk.position = cut
            return answer
        }
        if answer.jobs.count < request.count {
            var rest = request
            rest.count -= answer.jobs.count
            answer.add(try await leaseFairly(rest, &walk, &cursor))
        }
        return answer
    }

    private func leaseFairly(
        _ request: LeaseRequest, _ walk: inout Walk, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        let statement = Self.leaseFairly(
            request, walk.position, walk.next, cursor.groups, cursor.lastServed, cursor.start)
        var rows: [LeasedRow] = []
        var limited: Set<UUID> = []
        var served: [Int64: [Int64]] = [:]
        var answer = LeaseAnswer(jobs: [])
        walk.position = nil
        for row in try await hot.execute(statement).decode(as: FairRow.self) {
            switch row {
            case .job(let job, let isLimited, let group, let key):
                rows.append(job)
                if isLimited { limited.insert(job.id) }
                served[group, default: []].append(key)
            case .nextStart(let queue, let wait):
                answer.nextStarts[queue] = min(answer.nextStarts[queue] ?? wait, wait)
            case .unserved(let queue): answer.unserved.insert(queue)
            case .cut(let position): walk.position = position
            case .onlyUnrestricted: cursor.isRestrictedWorkReady = false
            }
        }
        cursor.served(served)
        answer.jobs = try await jobs(rows)
        for index in answer.jobs.indices { answer.jobs[index].isLimited = limited.contains(answer.jobs[index].id) }
        return answer
    }

    private func jobs(_ rows: [LeasedRow]) async throws(PostgresError) -> [LeasedJob] {
        guard !rows.isEmpty else { return [] }
        try await subqueues.load(Set(rows.lazy.map(\.subqueueID)), on: hot)
        var jobs: [LeasedJob] = []
        jobs.reserveCapacity(rows.count)
        for row in rows {
            guard let subqueue = subqueues.subqueue(row.subqueueID) else {
                throw .unexpectedValue(column: "subqueue_id", reason: "names a subqueue that does not exist")
            }
            jobs.append(LeasedJob(row, subqueue))
        }
        return jobs
    }
}

/// A row of the statements for unrestricted subqueues.
private enum UnrestrictedRow: RowDecodable {
    case job(LeasedRow)
    /// The queues have too many subqueues to probe all of them: nothing was leased.
    case many
    /// Where the walk was cut, and whether a restricted subqueue has work.
    case note(cut: WalkPosition?, isRestrictedWorkReady: Bool)

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let id: UUID? = try columns.next()
        if let id {
            self = .job(try LeasedRow(id, &columns))
            columns.skipRest()
            return
        }
        columns.skip(to: "subqueue_id")
        let cut = try WalkPosition?(&columns)
        columns.skip(to: "is_restricted_work_ready")
        let isRestrictedWorkReady: Bool = try columns.next()
        let areMany: Bool = try columns.next()
        self = areMany ? .many : .note(cut: cut, isRestrictedWorkReady: isRestrictedWorkReady)
    }
}

/// A row of the statement for all subqueues (`lease_fairly`, `0008_fairness.sql`).
private enum FairRow: RowDecodable {
    case job(LeasedRow, isLimited: Bool, group: Int64, key: Int64)
    /// The rate of this queue allows its next start after this time.
    case nextStart(String, after: Duration)
    /// More jobs of this limited queue could start.
    case unserved(String)
    /// The walk was cut here.
    case cut(WalkPosition)
    /// Only unrestricted subqueues had work.
    case onlyUnrestricted

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let id: UUID? = try columns.next()
        if let id {
            let job = try LeasedRow(id, &columns)
            let limitedQueue: Int32? = try columns.next()
            self = .job(
                job, isLimited: limitedQueue != nil, group: try columns.next(), key: try columns.next())
            columns.skipRest()
            return
        }
        columns.skip(to: "subqueue_id")
        let cut = try WalkPosition?(&columns)
        columns.skip(to: "ready_at")
        let nextStart: WallInstant? = try columns.next()
        let now: WallInstant? = try columns.next()
        columns.skip(to: "queue")
        switch (cut, try columns.next() as String?, nextStart, now) {
        case (let cut?, _, _, _): self = .cut(cut)
        case (_, nil, _, _): self = .onlyUnrestricted
        case (_, let queue?, let nextStart?, let now?): self = .nextStart(queue, after: nextStart - now)
        case (_, let queue?, _, _): self = .unserved(queue)
        }
    }
}

/// The columns that both statements give for a job.
private struct LeasedRow {
    let id: UUID
    let token: Int64
    let subqueueID: Int32
    let attempt: Int16
    let maxAttempts: Int16
    let timeoutSeconds: Int32
    let readyAt: WallInstant
    let leasedAt: WallInstant
    /// nil: left out, because it is large (`inline_payload`, `0002_jobs.sql`).
    let payload: [UInt8]?
    let traceParent: String?

    /// Reads the columns after `id`.
    init(_ id: UUID, _ columns: inout ColumnCursor) throws(PostgresError) {
        self.id = id
        token = try columns.next()
        subqueueID = try columns.next()
        attempt = try columns.next()
        maxAttempts = try columns.next()
        timeoutSeconds = try columns.next()
        readyAt = try columns.next()
        leasedAt = try columns.next()
        payload = try columns.next()
        traceParent = try columns.next()
    }
}

extension LeasedJob {
    fileprivate init(_ row: LeasedRow, _ subqueue: Subqueue) {
        self.init(
            id: row.id, type: subqueue.type, typeID: subqueue.typeID, queue: subqueue.queue, payload: row.payload ?? [],
            hasPayload: row.payload != nil, attempt: row.attempt, maxAttempts: row.maxAttempts, token: row.token,
            timeoutSeconds: row.timeoutSeconds, traceParent: row.traceParent,
            waitSeconds: Double(row.leasedAt.microseconds - row.readyAt.microseconds) / 1e6,
            metricsQueue: subqueue.metricsQueue)
    }
}
