public import Postgres
public import Values

/// A page of a list.
public struct JobPage: Sendable {
    public var jobs: [Job] = []
    /// Whether further jobs match.
    public var hasMore = false
}

extension JobStore {
    /// Maximum length of the large members of a page. One job may exceed it.
    public static let pageBytesMax = 4 * 1_048_576

    /// At most `limit` jobs, the newest first, older than the job `cursor`, with those of their large members that are
    /// among `members`. A page ends early, before these exceed `bytesMax`, but has at least one job if any matches.
    ///
    /// Newest first is the order of ids, which begin with the time. So a page begins where the last one ended, whatever
    /// has happened meanwhile, and `since` and `until` are bounds of the id.
    public func list(
        _ filter: JobFilter, before cursor: UUID?, limit: Int, with members: JobMembers,
        bytesMax: Int = JobStore.pageBytesMax
    ) async throws(PostgresError) -> JobPage {
        guard let page = try await page(filter, cursor, limit, members, bytesMax) else { return JobPage() }
        let rows = try await general.execute(ListStatements.bound(.jobs, filter, page)).decode((Int64, Job).self)
        return JobPage(jobs: rows.map(\.1), hasMore: rows.first.map { $0.0 > Int64(rows.count) } ?? false)
    }

    /// The ids of the same jobs.
    func listIDs(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [UUID] {
        guard let page = try await page(filter, cursor, limit, [], 0) else { return [] }
        return try await general.execute(ListStatements.bound(.ids, filter, page)).decode()
    }

    /// nil: no job matches.
    private func page(
        _ filter: JobFilter, _ cursor: UUID?, _ limit: Int, _ members: JobMembers, _ bytesMax: Int
    ) async throws(PostgresError) -> ListPage? {
        let subqueues = try await matchingSubqueues(filter)
        if let subqueues, subqueues.isEmpty { return nil }
        return ListPage(
            subqueues: subqueues, before: Self.upperBound(filter.until, cursor),
            from: filter.since.map(UUID.init(lowestAt:)) ?? UUID(high: 0, low: 0), limit: Int32(limit),
            members: members, bytesMax: Int64(bytesMax))
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

/// `$1` to `$6` of every list: the subqueues (NULL: all), the bounds of the id (below `before`, from `from` on), the
/// limit, the large members to return, and the limit of their length.
private struct ListPage: StatementInputGroup {
    let subqueues: [Int32]?
    let before: UUID
    let from: UUID
    let limit: Int32
    let members: JobMembers
    let bytesMax: Int64

    var statementInputs: StatementInputs<[Int32]?, UUID, UUID, Int32, Int32, Int64> {
        StatementInputs(subqueues, before, from, limit, members.rawValue, bytesMax)
    }
}

/// One statement for each table that a status means: a list reads an index of that table from its new end, and stops at
/// the limit. Some have a seventh parameter: a tag, a worker or ids.
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

    /// The statements that give the jobs of a source: whole, and by their ids alone. `source` selects the ids, one more
    /// than the limit.
    ///
    /// The jobs of a page are chosen by a running total of the lengths of their large members, before any of these is
    /// returned: neither PostgreSQL's answer nor the api's is larger than the limit and one job. The length of a
    /// compressed value is known only after it was decompressed, so the stored sizes decide first which values are
    /// measured at all (`ReadPayloads`). Without large members, none is looked at.
    private struct Pair<Extra: StatementInput>: Sendable {
        private let jobs: Statement<ListPage, Extra>
        private let ids: Statement<ListPage, Extra>

        init(_ name: String, _ source: SQLFragment) {
            let ids: SQLFragment = "SELECT id FROM (\(sql: source)) c ORDER BY id DESC LIMIT $4"
            let jobs: SQLFragment = """
                WITH listed AS MATERIALIZED (SELECT id FROM (\(sql: source)) c ORDER BY id DESC LIMIT $4 + 1),
                stored AS MATERIALIZED (
                    SELECT id, row_number() OVER newest AS n, sum(\(sql: storedSize)) OVER newest AS total
                    FROM listed d
                    WINDOW newest AS (ORDER BY id DESC)),
                measured AS MATERIALIZED (
                    SELECT id, n, sum(\(sql: length)) OVER (ORDER BY n) AS total
                    FROM stored d
                    WHERE n <= $4 AND (n = 1 OR total <= $6))
                SELECT (SELECT count(*) FROM listed), \(sql: JobColumns.page.sql)
                FROM measured d
                \(sql: JobColumns.tables)
                WHERE d.n = 1 OR d.total <= $6
                ORDER BY d.id DESC
                """
            self.jobs = Statement("list_\(name)", jobs, isIdempotent: true)
            self.ids = Statement("list_ids_\(name)", ids, isIdempotent: true)
        }

        func bound(_ selection: Selection, _ page: ListPage, _ extra: Extra) -> BoundStatement {
            switch selection {
            case .jobs: jobs(page, extra)
            case .ids: ids(page, extra)
            }
        }
    }

    private static let storedSize = sum { "pg_column_size(\(sql: $0))" }
    private static let length = sum { "octet_length(\(sql: $0)::text)" }

    /// The sum of a size of those large members of the job `d.id` that are among `$5`.
    private static func sum(_ size: (SQLFragment) -> SQLFragment) -> SQLFragment {
        func term(_ member: JobMembers, _ column: SQLFragment, _ rows: SQLFragment) -> SQLFragment {
            """
            CASE WHEN $5 & \(sql: member.bit) <> 0
                 THEN COALESCE((SELECT \(sql: size(column)) FROM \(sql: rows)), 0) ELSE 0 END
            """
        }
        let job: SQLFragment = "job WHERE id = ANY (ARRAY[d.id])"
        let terms = [
            term(.payload, "payload", job), term(.teardown, "teardown", job),
            term(
                .result, "o.result",
                """
                job j CROSS JOIN LATERAL (SELECT result FROM outcome WHERE subqueue_id = j.subqueue_id AND id = j.id
                                          OFFSET 0) o
                WHERE j.id = ANY (ARRAY[d.id])
                """),
            term(.lastError, "error", "attempt_error WHERE id = d.id ORDER BY attempt DESC LIMIT 1"),
        ]
        return terms.dropFirst().reduce(terms[0]) { "\(sql: $0) + \(sql: $1)" }
    }

    /// In place of a seventh parameter.
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
                            ORDER BY id DESC LIMIT $4 + 1) x
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
        "all", "SELECT id FROM job WHERE \(sql: range) AND \(sql: inSubqueue) ORDER BY id DESC LIMIT $4 + 1")

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
        "worker_id IN (SELECT w.id FROM worker w WHERE w.name = $7 OR w.incarnation::text = $7)"

    private static let leasedByAny = Pair<String>("leased_by", leases(worker))

    private static let leasedBy = byStatus([.running, .ending]) { status in
        Pair<String>("\(status.rawValue)_by", leases("\(sql: worker) AND \(sql: condition(status))"))
    }

    /// A tag's jobs by the index on tags.
    private static let taggedJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE tags @> ARRAY[$7] AND \(sql: range) AND \(sql: inSubqueue)"

    private static let taggedAny = Pair<String>("tagged", taggedJobs)

    private static let tagged = byStatus(JobStatus.allCases) { status in
        Pair<String>("tagged_\(status.rawValue)", only(status, of: taggedJobs))
    }

    private static let givenJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE id = ANY ($7) AND \(sql: range) AND \(sql: inSubqueue)"

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

    private static func byStatus<Extra>(
        _ statuses: [JobStatus], _ make: (JobStatus) -> Pair<Extra>
    ) -> [JobStatus: Pair<Extra>] {
        Dictionary(uniqueKeysWithValues: statuses.map { ($0, make($0)) })
    }
}
