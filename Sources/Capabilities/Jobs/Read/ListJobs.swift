public import Postgres
internal import Telemetry
public import Values

/// Which jobs a list holds. nil: any.
public struct JobFilter: Hashable, Sendable {
    public var status: JobStatus?
    public var queue: String?
    public var type: String?
    public var tag: String?
    /// Jobs with one of these ids: goes with neither a tag nor a worker.
    public var ids: [UUID]?
    /// The name or incarnation of the worker that has leased the job: goes with no status, `running` or `ending`, and
    /// not with a tag.
    public var worker: String?
    /// Created at this instant or later, by the time in the job's id: that is made when the job arrives, a little before
    /// the `created_at` that PostgreSQL gives it. Whole milliseconds.
    public var since: WallInstant?
    /// Created before this instant, by the time in the job's id.
    public var until: WallInstant?

    public init() {}
}

extension JobStore {
    /// At most `limit` jobs, the newest first, older than the job `cursor`.
    ///
    /// Newest first is the order of ids, which begin with the time, so that a page begins where the last one ended
    /// whatever has happened meanwhile, and `since` and `until` are bounds of the id.
    public func list(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [Job] {
        guard let parameters = try await parameters(filter, cursor, limit) else { return [] }
        let rows = try await general.execute(ListStatements.statement(for: filter).jobs, parameters)
        var jobs: [Job] = []
        jobs.reserveCapacity(rows.count)
        for row in rows { jobs.append(try Job(row)) }
        return jobs
    }

    /// The ids of the same jobs.
    func listIDs(
        _ filter: JobFilter, before cursor: UUID?, limit: Int
    ) async throws(PostgresError) -> [UUID] {
        guard let parameters = try await parameters(filter, cursor, limit) else { return [] }
        var ids: [UUID] = []
        for row in try await general.execute(ListStatements.statement(for: filter).ids, parameters) {
            ids.append(try row.uuid(0))
        }
        return ids
    }

    /// nil: no job matches.
    private func parameters(
        _ filter: JobFilter, _ cursor: UUID?, _ limit: Int
    ) async throws(PostgresError) -> Parameters? {
        let subqueues = try await matchingSubqueues(filter)
        guard !subqueues.isEmpty else { return nil }
        var parameters = Parameters()
        parameters.append(subqueues)
        parameters.append(Self.upperBound(filter.until, cursor))
        parameters.append(filter.since.map(UUID.init(lowestAt:)) ?? UUID(high: 0, low: 0))
        parameters.append(Int32(limit))
        if let text = filter.tag ?? filter.worker { parameters.append(text: text) }
        if let ids = filter.ids { parameters.append(ids) }
        return parameters
    }

    func matchingSubqueues(_ filter: JobFilter) async throws(PostgresError) -> [Int32] {
        let all = try await subqueues.all(on: hot)
        return all.filter { subqueue in
            (filter.queue.map { $0.utf8.elementsEqual(subqueue.queue.utf8) } ?? true)
                && (filter.type.map { $0.utf8.elementsEqual(subqueue.type.utf8) } ?? true)
        }.map(\.id)
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

/// One statement for each table that a status means: a list walks an index of that table from its new end, and stops
/// at the limit. $1 subqueues, $2 and $3 bounds of the id (below $2, from $3), $4 the limit, $5 a tag, a worker or ids.
private enum ListStatements {
    /// The jobs that a source gives, whole and by their ids alone.
    struct Pair: Sendable {
        let jobs: Statement
        let ids: Statement
    }

    static func statement(for filter: JobFilter) -> Pair {
        if filter.ids != nil { return filter.status.flatMap { given[$0] } ?? givenAny }
        if filter.tag != nil { return filter.status.flatMap { tagged[$0] } ?? taggedAny }
        if filter.worker != nil { return filter.status.flatMap { leasedBy[$0] } ?? leasedByAny }
        if let status = filter.status { return withStatus[status] ?? every }
        return filter.queue == nil && filter.type == nil ? every : inSubqueues
    }

    /// `source` gives the ids; it names $5 if there is one.
    private static func statement(_ name: String, _ source: SQLFragment, fifth: PostgresType? = nil) -> Pair {
        let types: [PostgresType] = [.int4Array, .uuid, .uuid, .int4] + (fifth.map { [$0] } ?? [])
        let ids: SQLFragment = "SELECT id FROM (\(sql: source)) c ORDER BY id DESC LIMIT $4"
        let jobs: SQLFragment = """
            SELECT \(sql: JobColumns.list)
            FROM (\(sql: ids)) d
            \(sql: JobColumns.tables)
            ORDER BY d.id DESC
            """
        return Pair(
            jobs: Statement("list_\(name)", jobs, types, isIdempotent: true),
            ids: Statement("list_ids_\(name)", ids, types, isIdempotent: true))
    }

    private static let range: SQLFragment = "id < $2 AND id >= $3"

    /// From the new end of each subqueue's part of an index.
    private static func perSubqueue(_ table: SQLFragment, _ condition: SQLFragment = "true") -> SQLFragment {
        """
        SELECT x.id FROM unnest($1::int[]) AS g (subqueue_id)
        CROSS JOIN LATERAL (SELECT id FROM \(sql: table)
                            WHERE subqueue_id = g.subqueue_id AND \(sql: range) AND \(sql: condition)
                            ORDER BY id DESC LIMIT $4) x
        """
    }

    /// As many rows as jobs run: filtered as they are read.
    private static func leases(_ condition: SQLFragment) -> SQLFragment {
        "SELECT id FROM lease WHERE \(sql: range) AND subqueue_id = ANY ($1) AND \(sql: condition)"
    }

    /// What tells a status among the rows of the table that holds it.
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

    private static let every = statement(
        "all", "SELECT id FROM job WHERE \(sql: range) AND subqueue_id = ANY ($1) ORDER BY id DESC LIMIT $4")

    private static let inSubqueues = statement(
        "subqueues",
        """
        (\(sql: perSubqueue("ready"))) UNION ALL (\(sql: perSubqueue("scheduled"))) UNION ALL (\(sql: perSubqueue("outcome")))
        UNION ALL (\(sql: leases("true")))
        """)

    private static let withStatus: [JobStatus: Pair] = byStatus(JobStatus.allCases) { status in
        statement(status.rawValue, source(status))
    }

    private static let worker: SQLFragment =
        "worker_id IN (SELECT w.id FROM worker w WHERE w.name = $5 OR w.incarnation::text = $5)"

    private static let leasedByAny = statement("leased_by", leases(worker), fifth: .text)

    private static let leasedBy: [JobStatus: Pair] = byStatus([.running, .ending]) { status in
        let source = leases("\(sql: worker) AND \(sql: condition(status))")
        return statement("\(status.rawValue)_by", source, fifth: .text)
    }

    /// A tag's jobs by the index on tags.
    private static let taggedJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE tags @> ARRAY[$5] AND \(sql: range) AND subqueue_id = ANY ($1)"

    private static let taggedAny = statement("tagged", taggedJobs, fifth: .text)

    private static let tagged: [JobStatus: Pair] = byStatus(JobStatus.allCases) { status in
        statement("tagged_\(status.rawValue)", only(status, of: taggedJobs), fifth: .text)
    }

    private static let givenJobs: SQLFragment =
        "SELECT id, subqueue_id FROM job WHERE id = ANY ($5) AND \(sql: range) AND subqueue_id = ANY ($1)"

    private static let givenAny = statement("given", givenJobs, fifth: .uuidArray)

    private static let given: [JobStatus: Pair] = byStatus(JobStatus.allCases) { status in
        statement("given_\(status.rawValue)", only(status, of: givenJobs), fifth: .uuidArray)
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

    private static func byStatus(
        _ statuses: [JobStatus], _ make: (JobStatus) -> Pair
    ) -> [JobStatus: Pair] {
        Dictionary(uniqueKeysWithValues: statuses.map { ($0, make($0)) })
    }
}
