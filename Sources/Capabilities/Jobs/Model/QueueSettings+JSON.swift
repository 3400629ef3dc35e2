public import JSON

extension QueueSettings {
    private enum Member: String, CaseIterable {
        case maxRunning = "max_running"
        case maxRunningPerKey = "max_running_per_key"
        case rateLimit = "rate_limit"
        case retention
        case takeover
    }

    private static let members = ObjectMembers<Member>()

    /// Reads the settings of a queue. A member that is null or missing sets no limit. Incomplete after noting what is
    /// wrong.
    public static func read(_ input: inout InputReader) throws(JSONSyntaxError) -> QueueSettings {
        var settings = QueueSettings()
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .maxRunning: settings.runningMax = try input.optionalInteger(in: JobLimits.queueLimit)
            case .maxRunningPerKey: settings.runningPerKeyMax = try input.optionalInteger(in: JobLimits.queueLimit)
            case .rateLimit: settings.rate = try StartRate.read(&input)
            case .retention: try settings.readRetention(&input)
            case .takeover:
                if try input.null() { break }
                settings.takeover = try input.choice(of: Takeover.allCases) ?? .heartbeat
            }
        }
        return settings
    }

    private enum Retention: String, CaseIterable {
        case succeededHours = "succeeded_hours"
        case failedHours = "failed_hours"
        case cancelledHours = "cancelled_hours"
    }

    private static let retention = ObjectMembers<Retention>()

    private mutating func readRetention(_ input: inout InputReader) throws(JSONSyntaxError) {
        if try input.null() { return }
        try input.object(Self.retention) { input, member throws(JSONSyntaxError) in
            let hours = try input.optionalInteger(in: JobLimits.retentionHours)
            switch member {
            case .succeededHours: succeededHours = hours
            case .failedHours: failedHours = hours
            case .cancelledHours: cancelledHours = hours
            }
        }
    }

    /// Appends the members that `read` reads, null where there is no limit.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.optional("max_running", runningMax) { $0.integer($1) }
        writer.optional("max_running_per_key", runningPerKeyMax) { $0.integer($1) }
        writer.optional("rate_limit", rate) { $1.write(to: &$0) }
        writer.key("retention")
        writer.beginObject()
        writer.optional("succeeded_hours", succeededHours) { $0.integer($1) }
        writer.optional("failed_hours", failedHours) { $0.integer($1) }
        writer.optional("cancelled_hours", cancelledHours) { $0.integer($1) }
        writer.endObject()
        writer.member("takeover", takeover.rawValue)
    }
}

extension StartRate {
    private enum Member: String, CaseIterable {
        case count
        case perSeconds = "per_seconds"
        case burst
    }

    private static let members = ObjectMembers<Member>(required: [.count, .perSeconds])

    /// nil: null, or after noting what is wrong.
    fileprivate static func read(_ input: inout InputReader) throws(JSONSyntaxError) -> StartRate? {
        if try input.null() { return nil }
        var count: Int32?
        var seconds: Double?
        var burst: Int32?
        try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .count: count = try input.integer(in: JobLimits.queueLimit)
            case .perSeconds: seconds = try input.number(in: JobLimits.rateSeconds)
            case .burst: burst = try input.optionalInteger(in: JobLimits.queueLimit)
            }
        }
        guard let count, let seconds else { return nil }
        return StartRate(count: count, seconds: seconds, burst: burst)
    }

    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("count", count)
        writer.key("per_seconds")
        writer.double(seconds)
        writer.member("burst", burst)
        writer.endObject()
    }
}
