public import Postgres
public import Telemetry

/// Which jobs a list holds. nil: any.
public struct JobFilter: Hashable, Sendable {
    public var status: JobStatus?
    public var queue: String?
    public var type: String?
    public var tag: String?
    /// The name or incarnation of the worker that has leased the job: goes with no status, `running` or `ending`, and
    /// not with a tag.
    public var worker: String?
    /// Created at this instant or later.
    public var since: WallInstant?
    /// Created before this instant.
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
        let bands = try await matchingBands(filter)
        guard !bands.isEmpty else { return [] }
        var parameters = Parameters()
        parameters.append(bands)
        parameters.append(Self.upperBound(filter.until, cursor))
        parameters.append(filter.since.map(UUID.init(lowestAt:)) ?? UUID(high: 0, low: 0))
        parameters.append(Int32(limit))
        if let text = filter.tag ?? filter.worker { parameters.append(text: text) }
        let rows = try await general.execute(ListStatements.statement(for: filter), parameters)
        var jobs: [Job] = []
        jobs.reserveCapacity(rows.count)
        for row in rows { jobs.append(try Job(row)) }
        return jobs
    }

    private func matchingBands(_ filter: JobFilter) async throws(PostgresError) -> [Int32] {
        let all = try await bands.all(on: hot)
        return all.filter { band in
            (filter.queue.map { $0.utf8.elementsEqual(band.queue.utf8) } ?? true)
                && (filter.type.map { $0.utf8.elementsEqual(band.type.utf8) } ?? true)
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
/// at the limit. $1 bands, $2 and $3 bounds of the id (below $2, from $3), $4 the limit, $5 a tag or a worker.
private enum ListStatements {
    static func statement(for filter: JobFilter) -> Statement {
        if filter.tag != nil { return tagged[filter.status] ?? every }
        if filter.worker != nil { return filter.status.flatMap { leasedBy[$0] } ?? leasedByAny }
        if let status = filter.status { return withStatus[status] ?? every }
        return filter.queue == nil && filter.type == nil ? every : inBands
    }

    /// `source` gives the ids; it names $5 if `takesText`.
    private static func statement(_ name: String, _ source: String, takesText: Bool = false) -> Statement {
        Statement(
            "list_\(name)",
            """
            SELECT \(JobColumns.list)
            FROM (SELECT id FROM (\(source)) c ORDER BY id DESC LIMIT $4) d
            \(JobColumns.tables)
            ORDER BY d.id DESC
            """, [.int4Array, .uuid, .uuid, .int4] + (takesText ? [.text] : []), isIdempotent: true)
    }

    private static let range = "id < $2 AND id >= $3"

    /// From the new end of each band's part of an index.
    private static func perBand(_ table: String, _ condition: String = "true") -> String {
        """
        SELECT x.id FROM unnest($1::int[]) AS g (band_id)
        CROSS JOIN LATERAL (SELECT id FROM \(table)
                            WHERE band_id = g.band_id AND \(range) AND \(condition)
                            ORDER BY id DESC LIMIT $4) x
        """
    }

    /// As many rows as jobs run: filtered as they are read.
    private static func leases(_ condition: String) -> String {
        "SELECT id FROM lease WHERE \(range) AND band_id = ANY ($1) AND \(condition)"
    }

    private static let notAsked = "cancel_requested_at IS NULL"
    private static let asked = "cancel_requested_at IS NOT NULL"

    private static func source(_ status: JobStatus) -> String {
        switch status {
        case .queued: perBand("ready")
        case .scheduled: perBand("scheduled")
        case .running: leases(notAsked)
        case .ending: leases(asked)
        case .succeeded, .failed, .cancelled: perBand("outcome", "status = '\(status.rawValue)'")
        }
    }

    private static let every = statement(
        "all", "SELECT id FROM job WHERE \(range) AND band_id = ANY ($1) ORDER BY id DESC LIMIT $4")

    private static let inBands = statement(
        "bands",
        ["ready", "scheduled", "outcome"].map { "(\(perBand($0)))" }.joined(separator: " UNION ALL ")
            + " UNION ALL (\(leases("true")))")

    private static let withStatus: [JobStatus: Statement] = byStatus(JobStatus.allCases) { status in
        statement(status.rawValue, source(status))
    }

    private static let worker =
        "worker_id IN (SELECT w.id FROM worker w WHERE w.name = $5 OR w.incarnation::text = $5)"

    private static let leasedByAny = statement("leased_by", leases(worker), takesText: true)

    private static let leasedBy: [JobStatus: Statement] = byStatus([.running, .ending]) { status in
        let asking = status == .running ? notAsked : asked
        return statement("\(status.rawValue)_by", leases("\(worker) AND \(asking)"), takesText: true)
    }

    /// A tag's jobs by the index on tags, then those of the status.
    private static let tagged: [JobStatus?: Statement] = {
        let jobs = "SELECT id, band_id FROM job WHERE tags @> ARRAY[$5] AND \(range) AND band_id = ANY ($1)"
        var statements: [JobStatus?: Statement] = [nil: statement("tagged", jobs, takesText: true)]
        for status in JobStatus.allCases {
            let place =
                switch status {
                case .queued: "ready x WHERE x.band_id = j.band_id AND x.id = j.id"
                case .scheduled: "scheduled x WHERE x.id = j.id"
                case .running: "lease x WHERE x.id = j.id AND x.\(notAsked)"
                case .ending: "lease x WHERE x.id = j.id AND x.\(asked)"
                case .succeeded, .failed, .cancelled:
                    "outcome x WHERE x.band_id = j.band_id AND x.id = j.id AND x.status = '\(status.rawValue)'"
                }
            let source = "SELECT j.id FROM (\(jobs)) j WHERE EXISTS (SELECT FROM \(place))"
            statements[status] = statement("tagged_\(status.rawValue)", source, takesText: true)
        }
        return statements
    }()

    private static func byStatus(
        _ statuses: [JobStatus], _ make: (JobStatus) -> Statement
    ) -> [JobStatus: Statement] {
        Dictionary(uniqueKeysWithValues: statuses.map { ($0, make($0)) })
    }
}
