public import Postgres
public import Values

extension JobStore {
    /// At most `limit` jobs, the newest first, older than the job `cursor`.
    ///
    /// Newest first is the order of ids, which begin with the time. So a page begins where the last one ended, whatever
    /// has happened meanwhile, and `since` and `until` are bounds of the id.
    public func list(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [Job] {
        guard let page = try await page(filter, cursor, limit) else { return [] }
        return try await general.execute(ListStatements.bound(.jobs, filter, page)).decode()
    }

    /// The ids of the same jobs.
    func listIDs(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [UUID] {
        guard let page = try await page(filter, cursor, limit) else { return [] }
        return try await general.execute(ListStatements.bound(.ids, filter, page)).decode()
    }

    /// nil: no job matches.
    private func page(
        _ filter: JobFilter, _ cursor: UUID?, _ limit: Int
    ) async throws(PostgresError) -> ListPage? {
        let subqueues = try await matchingSubqueues(filter)
        if let subqueues, subqueues.isEmpty { return nil }
        return ListPage(
            subqueues: subqueues, before: Self.upperBound(filter.until, cursor),
            from: filter.since.map(UUID.init(lowestAt:)) ?? UUID(high: 0, low: 0), limit: Int32(limit))
    }

    private static let matchingStatement = Statement<String?, String?>(
        "matching_subqueues",
        """
        SELECT b.id
        FROM queue q JOIN subqueue b ON b.queue_id = q.id
        WHERE q.name = $1 AND ($2::text IS NULL OR b.type_id = (SELECT id FROM type WHERE name = $2))
        UNION ALL
        SELECT b.id
        FROM type t JOIN subqueue b ON b.type_id = t.id
        WHERE $1::text IS NULL AND t.name = $2
        """, isIdempotent: true)

    /// The subqueues that match `filter` by queue and type; nil: all.
    func matchingSubqueues(_ filter: JobFilter) async throws(PostgresError) -> [Int32]? {
        if filter.queue == nil, filter.type == nil { return nil }
        return try await general.execute(Self.matchingStatement(filter.queue, filter.type)).decode()
    }

    private static func upperBound(_ until: WallInstant?, _ cursor: UUID?) -> UUID {
        let bound = until.map(UUID.init(lowestAt:)) ?? UUID(high: .max, low: .max)
        return cursor.map { min($0, bound) } ?? bound
    }
}

extension UUID {
    /// Below every id of version 7 of this millisecond or later.
    init(lowestAt instant: WallInstant) {
        let milliseconds = UInt64(max(0, instant.microseconds / 1_000))
        self.init(high: (milliseconds & 0xffff_ffff_ffff) << 16, low: 0)
    }
}

/// `$1` to `$4` of every list: the subqueues (NULL: all), the bounds of the id (below `before`, from `from` on), and
/// the limit.
private struct ListPage: StatementInputGroup {
    let subqueues: [Int32]?
    let before: UUID
    let from: UUID
    let limit: Int32

    var statementInputs: StatementInputs<[Int32]?, UUID, UUID, Int32> {
        StatementInputs(subqueues, before, from, limit)
    }
}

/// One statement for each table that a status means: a list reads an index of that table from its new end, and stops at
/// the limit. Some have a fifth parameter: a tag, a worker or ids.
private enum ListStatements {
    enum Selection {
        case jobs, ids
    }

    static func bound(_ selection: Selection, _ filter: JobFilter, _ page: ListPage) -> BoundStatement {
        let status = filter.status
        if let ids = filter.ids { return (status.flatMap { given[$0] } ?? givenAny).bound(selection, page, ids) }
        if let tag = filter.tag { return (status.flatMap { tagged[$0] } ?? taggedAny).bound(selection, page, tag) }
        if let worker = filter.worker {
            return (status.flatMap { leasedBy[$0] } ?? leasedByAny).bound(selection, page, worker)
        }
        let pair =
            if let status { withStatus[status] ?? every } else if filter.queue == nil, filter.type == nil { every } else
            {
                inSubqueues
            }
        return pair.bound(selection, page, NoInput())
    }

    /// The statements that give the jobs of a source: whole, and by their ids alone. `source` selects the ids.
    private struct Pair<Fifth: StatementInput>: Sendable {
        private let jobs: Statement<ListPage, Fifth>
        private let ids: Statement<ListPage, Fifth>

        init(_ name: String, _ source: SQLFragment) {
            let ids: SQLFragment = "SELECT id FROM (\(sql: source)) c ORDER BY id DESC LIMIT $4"
            let jobs: SQLFragment = """
                SELECT \(sql: JobColumns.list.sql)
                FROM (\(sql: ids)) d
                \(sql: JobColumns.tables)
                ORDER BY d.id DESC
                """
            self.jobs = Statement("list_\(name)", jobs, isIdempotent: true)
            self.ids = Statement("list_ids_\(name)", ids, isIdempotent: true)
        }

        func bound(_ selection: Selection, _ page: ListPage, _ fifth: Fifth) -> BoundStatement {
            switch selection {
            case .jobs: jobs(page, fifth)
            case .ids: ids(page, fifth)
            }
        }
    }

    /// In place of a fifth parameter.
    private struct NoInput: StatementInput {
        static var parameterTypes: [PostgresType] { [] }
        func append(to parameters: inout Parameters) {}
    }

    private static let range: SQLFragment = "id < $2 AND id >= $3"
    private static let inSubqueue: SQLFragment = "($1::int[] IS NULL OR subqueue_id = ANY ($1))"

    /// From the new end of each subqueue's part of an index.
    private static func perSubqueue(_ table: SQLFragment, _ condition: SQLFragment = "true") -> SQLFragment {
        """
        SELECT x.id
        FROM (SELECT unnest($1::int[]) AS subqueue_id
              UNION ALL
              SELECT b.id FROM subqueue b WHERE $1::int[] IS NULL) g
        CROSS JOIN LATERAL (SELECT id FROM \(sql: table)
                            WHERE subqueue_id = g.subqueue_id AND \(sql: range) AND \(sql: condition)
                            ORDER BY id DESC LIMIT $4) x
        """
    }

    /// The table has a row for each running job: rows are filtered as they are read.
    private static func leases(_ condition: SQLFragment) -> SQLFragment {
        "SELECT id FROM lease WHERE \(sql: range) AND \(sql: inSubqueue) AND \(sql: condition)"
    }

    /// The condition of a status among the rows of the table that holds it.
    private static func condition(_ status: JobStatus) -> SQLFragment {
        switch status {
        case .queued, .scheduled: "true"
        case .running: "cancel_requested_at IS NULL"
        case .ending: "cancel_requested_at IS NOT NULL"
        case .succeeded: "status = 'succeeded'"
        case .failed: "status = 'failed'"
        case .cancelled: "status = 'cancelled'"
        }
    }

    private static func source(_ status: JobStatus) -> SQLFragment {
        switch status {
        case .queued: perSubqueue("ready")
        case .scheduled: perSubqueue("scheduled")
        case .running, .ending: leases(condition(status))
        case .succeeded, .failed, .cancelled: perSubqueue("outcome", condition(status))
        }
    }

    private static let every = Pair<NoInput>(
        "all", "SELECT id FROM job WHERE \(sql: range) AND \(sql: inSubqueue) ORDER BY id DESC LIMIT $4")

    private static let inSubqueues = Pair<NoInput>(
        "subqueues",
        """
        (\(sql: perSubqueue("ready"))) UNION ALL (\(sql: perSubqueue("scheduled")))
        UNION ALL (\(sql: perSubqueue("outcome"))) UNION ALL (\(sql: leases("true")))
        """)

    private static let withStatus = byStatus(JobStatus.allCases) { status in
        Pair<NoInput>(status.rawValue, source(status))
    }

    private static let worker: SQLFragment =
        "worker_id IN (SELECT w.id FROM worker w WHERE w.name = $5 OR w.incarnation::text = $5)"

    private static let leasedByAny = Pair<String>("leased_by", leases(worker))

    private static let leasedBy = byStatus([.running, .ending]) { status in
        Pair<String>("\(status.rawValue)_by", leases("\(sql: worker) AND \(sql: condition(status))"))
    }

    /// A tag's jobs by the index on tags.
    private static let taggedJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE tags @> ARRAY[$5] AND \(sql: range) AND \(sql: inSubqueue)"

    private static let taggedAny = Pair<String>("tagged", taggedJobs)

    private static let tagged = byStatus(JobStatus.allCases) { status in
        Pair<String>("tagged_\(status.rawValue)", only(status, of: taggedJobs))
    }

    private static let givenJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE id = ANY ($5) AND \(sql: range) AND \(sql: inSubqueue)"

    private static let givenAny = Pair<[UUID]>("given", givenJobs)

    private static let given = byStatus(JobStatus.allCases) { status in
        Pair<[UUID]>("given_\(status.rawValue)", only(status, of: givenJobs))
    }

    /// Of these jobs, those in one status.
    private static func only(_ status: JobStatus, of jobs: SQLFragment) -> SQLFragment {
        let place: SQLFragment =
            switch status {
            case .queued: "ready x WHERE x.subqueue_id = j.subqueue_id AND x.id = j.id"
            case .scheduled: "scheduled x WHERE x.id = j.id"
            case .running, .ending: "lease x WHERE x.id = j.id"
            case .succeeded, .failed, .cancelled: "outcome x WHERE x.subqueue_id = j.subqueue_id AND x.id = j.id"
            }
        return """
            SELECT j.id FROM (\(sql: jobs)) j
            WHERE EXISTS (SELECT FROM \(sql: place) AND \(sql: condition(status)))
            """
    }

    private static func byStatus<Fifth>(
        _ statuses: [JobStatus], _ make: (JobStatus) -> Pair<Fifth>
    ) -> [JobStatus: Pair<Fifth>] {
        Dictionary(uniqueKeysWithValues: statuses.map { ($0, make($0)) })
    }
}
