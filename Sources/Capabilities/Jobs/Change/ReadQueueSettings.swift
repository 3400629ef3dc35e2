public import JSON

extension QueueSettings {
    /// Reads the settings of a queue, noting in `errors` what is wrong; throws on a syntax error only. A member that is
    /// null or missing sets no limit.
    public static func read(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> QueueSettings {
        var settings = QueueSettings()
        try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            let place = pointer.appending(key.text)
            switch key {
            case "max_running": settings.runningMax = try errors.count(&reader, at: place)
            case "max_running_per_key": settings.runningPerKeyMax = try errors.count(&reader, at: place)
            case "rate_limit": settings.rate = try StartRate.read(&reader, at: place, into: &errors)
            case "retention": try settings.readRetention(&reader, at: place, into: &errors)
            default: return false
            }
            return true
        }
        return settings
    }

    private mutating func readRetention(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) {
        if try reader.readNull() { return }
        try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            let place = pointer.appending(key.text)
            let range = JobLimits.retentionHours
            switch key {
            case "succeeded_hours": succeededHours = try errors.optionalInteger(&reader, at: place, in: range)
            case "failed_hours": failedHours = try errors.optionalInteger(&reader, at: place, in: range)
            case "cancelled_hours": cancelledHours = try errors.optionalInteger(&reader, at: place, in: range)
            default: return false
            }
            return true
        }
    }

    /// Appends the members that `read` reads, null where there is no limit.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.optional("max_running", runningMax) { $0.integer($1) }
        writer.optional("max_running_per_key", runningPerKeyMax) { $0.integer($1) }
        writer.optional("rate_limit", rate) { writer, rate in
            writer.beginObject()
            writer.member("count", rate.count)
            writer.key("per_seconds")
            writer.double(rate.seconds)
            writer.member("burst", rate.burst)
            writer.endObject()
        }
        writer.key("retention")
        writer.beginObject()
        writer.optional("succeeded_hours", succeededHours) { $0.integer($1) }
        writer.optional("failed_hours", failedHours) { $0.integer($1) }
        writer.optional("cancelled_hours", cancelledHours) { $0.integer($1) }
        writer.endObject()
    }
}

extension StartRate {
    /// nil: there is none, or what is wrong has been noted.
    fileprivate static func read(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> StartRate? {
        if try reader.readNull() { return nil }
        let before = errors.count
        var count: Int32?
        var seconds: Double?
        var burst: Int32?
        let isObject = try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            let place = pointer.appending(key.text)
            switch key {
            case "count": count = try errors.integer(&reader, at: place, in: JobLimits.queueLimit)
            case "per_seconds": seconds = try errors.number(&reader, at: place, in: JobLimits.rateSeconds)
            case "burst": burst = try errors.count(&reader, at: place)
            default: return false
            }
            return true
        }
        guard isObject, errors.count == before else { return nil }
        if count == nil { errors.add(pointer.appending("count"), "is required") }
        if seconds == nil { errors.add(pointer.appending("per_seconds"), "is required") }
        guard let count, let seconds else { return nil }
        return StartRate(count: count, seconds: seconds, burst: burst)
    }
}

extension InputErrors {
    /// A limit, or null.
    fileprivate mutating func count(
        _ reader: inout JSONReader, at pointer: JSONPointer
    ) throws(JSONError) -> Int32? {
        try optionalInteger(&reader, at: pointer, in: JobLimits.queueLimit)
    }

    /// An integer, or null.
    mutating func optionalInteger(
        _ reader: inout JSONReader, at pointer: JSONPointer, in range: ClosedRange<Int32>
    ) throws(JSONError) -> Int32? {
        if try reader.readNull() { return nil }
        return try integer(&reader, at: pointer, in: range)
    }

    /// A number, fractions allowed.
    mutating func number(
        _ reader: inout JSONReader, at pointer: JSONPointer, in range: ClosedRange<Double>
    ) throws(JSONError) -> Double? {
        guard let value = try note(pointer, { () throws(JSONError) in try reader.readDouble() }) else { return nil }
        if range.contains(value) { return value }
        add(pointer, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }
}
