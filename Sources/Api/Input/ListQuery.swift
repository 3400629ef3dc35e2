internal import HTTP
internal import JSON
internal import Jobs

/// The parameters of `GET /api/jobs`.
struct ListQuery {
    /// Jobs of a page.
    static let limitRange = 1...500
    static let limitStandard = 50
    /// A tag, and the name or incarnation of a worker.
    private static let shortText = TextRule.line(bytesMax: 256)

    enum Parameter: String, CaseIterable {
        case status, queue, type, tag, worker, since, until, include, limit, cursor
    }

    var filter = JobFilter()
    /// The large members to return.
    var members: JobMembers = []
    var cursor: JobCursor?
    var limit = Self.limitStandard

    /// Throws 400 with all errors.
    init(_ query: Query) throws(Problem) {
        var reader = QueryReader(query)
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .status: filter.status = reader.choice(of: JobStatus.allCases)
            case .queue: filter.queue = reader.text(.name)
            case .type: filter.type = reader.text(.name)
            case .tag: filter.tag = reader.text(Self.shortText)
            case .worker: filter.worker = reader.text(Self.shortText)
            case .since: filter.since = reader.instant()
            case .until: filter.until = reader.instant()
            case .include: members = reader.members() ?? members
            case .limit: limit = reader.integer(in: Self.limitRange) ?? limit
            case .cursor: cursor = reader.cursor(JobCursor.init)
            }
        }
        // Leases are found by their worker; jobs that wait or have ended have no index for it.
        if filter.worker != nil {
            if let status = filter.status, status != .running, status != .ending {
                reader.add(Parameter.worker, "requires `status` to be absent, running or ending")
            }
            if filter.tag != nil { reader.add(Parameter.worker, "excludes `tag`") }
        }
        try reader.finish()
    }
}

extension QueryReader {
    /// Names of large members of a job, separated by commas, each once.
    fileprivate mutating func members() -> JobMembers? {
        let names = JobMembers.byName.map(\.name).joined(separator: ", ")
        return value("must be some of \(names), separated by commas, each once") { text in
            var members: JobMembers = []
            for name in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                guard let member = JobMembers.byName.first(where: { $0.name.utf8.elementsEqual(name) })?.member,
                    members.insert(member).inserted
                else { return nil }
            }
            return members
        }
    }

    /// The `next_cursor` of an earlier response.
    mutating func cursor<Cursor>(_ parse: (String) -> Cursor?) -> Cursor? {
        value("must be the `next_cursor` of an earlier response", parse)
    }
}
