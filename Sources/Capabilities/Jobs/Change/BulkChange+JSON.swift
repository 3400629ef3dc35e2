public import JSON
internal import Postgres
internal import Values

extension BulkChange {
    /// Maximum number of ids in one request.
    public static let idsMax = 10_000

    private enum Member: String, CaseIterable {
        case filter, limit
        case dryRun = "dry_run"
        case ratePerSecond = "rate_per_second"
        case reason
        case updatedBy = "updated_by"
    }

    private static let membersOfRetry = ObjectMembers<Member>(required: [.filter])
    private static let membersOfCancel = ObjectMembers<Member>(
        required: [.filter], excluding: [.ratePerSecond: "is accepted for a retry only"])

    /// Reads `{"filter": {...}, "limit": ..., "dry_run": ..., "reason": ..., "updated_by": ...}`, for a retry also
    /// `rate_per_second`. Incomplete after noting what is wrong.
    public static func read(_ input: inout InputReader, as verb: Verb) throws(JSONSyntaxError) -> BulkChange {
        var bulk = BulkChange(verb)
        let members = verb == .retry ? membersOfRetry : membersOfCancel
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .filter: try bulk.readFilter(&input)
            case .limit: bulk.limit = try input.integer(in: limitRange) ?? bulk.limit
            case .dryRun: bulk.isDryRun = try input.bool() ?? false
            case .ratePerSecond: bulk.ratePerSecond = try input.number(in: rateRange)
            case .reason: bulk.actor.reason = try input.text(.reason)
            case .updatedBy: bulk.actor.name = try input.text(.actor)
            }
        }
        return bulk
    }

    private enum Criterion: String, CaseIterable {
        case status, queue, type, tag, since, until, ids
    }

    private static let criteria = ObjectMembers<Criterion>()

    private mutating func readFilter(_ input: inout InputReader) throws(JSONSyntaxError) {
        let before = input.errors.count
        try input.object(Self.criteria) { input, criterion throws(JSONSyntaxError) in
            switch criterion {
            case .status: filter.status = try input.choice(of: verb.statuses)
            case .queue: filter.queue = try input.text(.name)
            case .type: filter.type = try input.text(.name)
            case .tag: filter.tag = try input.text(JobLimits.tag)
            case .since: filter.since = try input.instant()
            case .until: filter.until = try input.instant()
            case .ids: filter.ids = try Self.readIDs(&input)
            }
        }
        guard input.errors.count == before else { return }
        if filter == JobFilter() {
            let names = Criterion.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
            input.add("must have at least one of \(names)")
        }
        if filter.ids != nil, filter.tag != nil { input.add(Criterion.ids, "excludes `tag`") }
    }

    private static func readIDs(_ input: inout InputReader) throws(JSONSyntaxError) -> [UUID] {
        var ids: [UUID] = []
        try input.array(1...idsMax, of: "ids") { input throws(JSONSyntaxError) in
            if let id = try input.uuid() { ids.append(id) }
        }
        return ids
    }
}

extension BulkReport {
    /// Appends what was changed, or would be.
    public func write(to writer: inout JSONWriter, isDryRun: Bool) {
        writer.beginObject()
        writer.member("matched", matched.count)
        writer.member("changed", changed)
        writer.member("locked", locked)
        writer.member("dry_run", isDryRun)
        writer.member("more", isMore)
        writer.key("ids")
        writer.beginArray()
        for id in ids { writer.string(id) }
        writer.endArray()
        writer.endObject()
    }
}
