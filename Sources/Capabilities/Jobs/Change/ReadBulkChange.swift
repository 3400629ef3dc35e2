public import JSON
internal import Postgres
internal import Values

extension BulkChange {
    /// Ids of one request.
    public static let idsMax = 10_000

    /// Reads `{"filter": {...}, "limit": ..., "dry_run": ..., "reason": ..., "updated_by": ...}`, for a retry also
    /// `rate_per_second`, noting in `errors` what is wrong; throws on a syntax error only.
    public static func read(
        _ reader: inout JSONReader, as verb: Verb, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> BulkChange {
        var bulk = BulkChange(verb)
        var hasFilter = false
        let isObject = try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            let place = pointer.appending(key.text)
            switch key {
            case "filter":
                hasFilter = true
                try bulk.readFilter(&reader, at: place, into: &errors)
            case "limit": bulk.limit = try errors.integer(&reader, at: place, in: limitRange) ?? bulk.limit
            case "dry_run": bulk.isDryRun = try errors.bool(&reader, at: place) ?? false
            case "rate_per_second" where verb == .retry:
                bulk.ratePerSecond = try errors.number(&reader, at: place, in: rateRange)
            default: return try bulk.actor.readMember(&reader, key, at: pointer, into: &errors)
            }
            return true
        }
        if isObject, !hasFilter { errors.add(pointer.appending("filter"), "is required") }
        return bulk
    }

    private mutating func readFilter(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) {
        let before = errors.count
        let isObject = try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            try readCriterion(&reader, key, at: pointer, into: &errors)
        }
        guard isObject, errors.count == before else { return }
        if filter == JobFilter() {
            errors.add(pointer, "needs one at least of status, queue, type, tag, since, until, ids")
        }
        if filter.ids != nil, filter.tag != nil { errors.add(pointer.appending("ids"), "does not go with tag") }
    }

    /// False for an unknown name.
    private mutating func readCriterion(
        _ reader: inout JSONReader, _ key: JSONKey, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Bool {
        let place = pointer.appending(key.text)
        switch key {
        case "status": filter.status = try errors.status(&reader, at: place, among: verb.statuses)
        case "queue": filter.queue = try errors.name(&reader, at: place)
        case "type": filter.type = try errors.name(&reader, at: place)
        case "tag": filter.tag = try errors.tag(&reader, at: place)
        case "since": filter.since = try errors.instant(&reader, at: place)
        case "until": filter.until = try errors.instant(&reader, at: place)
        case "ids": filter.ids = try errors.ids(&reader, at: place)
        default: return false
        }
        return true
    }
}

extension InputErrors {
    fileprivate mutating func status(
        _ reader: inout JSONReader, at pointer: JSONPointer, among accepted: [JobStatus]
    ) throws(JSONError) -> JobStatus? {
        guard let text = try string(&reader, at: pointer) else { return nil }
        if let status = accepted.first(where: { $0.rawValue.utf8.elementsEqual(text.utf8) }) { return status }
        add(pointer, "must be one of \(accepted.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    fileprivate mutating func tag(
        _ reader: inout JSONReader, at pointer: JSONPointer
    ) throws(JSONError) -> String? {
        guard let text = try string(&reader, at: pointer) else { return nil }
        if (1...JobLimits.tagBytesMax).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) {
            return text
        }
        add(pointer, "must be 1 to \(JobLimits.tagBytesMax) bytes without control characters")
        return nil
    }

    fileprivate mutating func ids(
        _ reader: inout JSONReader, at pointer: JSONPointer
    ) throws(JSONError) -> [UUID]? {
        guard try note(pointer, { () throws(JSONError) in try reader.beginArray() }) != nil else { return nil }
        var ids: [UUID] = []
        var count = 0
        while try reader.nextElement() {
            defer { count += 1 }
            // More are counted, and not looked at.
            guard count < BulkChange.idsMax, let text = try string(&reader, at: pointer.appending(count)) else {
                continue
            }
            if let id = UUID(text) {
                ids.append(id)
            } else {
                add(pointer.appending(count), "must be a UUID")
            }
        }
        if count == 0 || count > BulkChange.idsMax {
            add(pointer, "has \(count) ids; 1 to \(BulkChange.idsMax) are accepted")
        }
        return ids
    }
}
