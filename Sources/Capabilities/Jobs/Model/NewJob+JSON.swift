public import JSON
internal import Values

// The JSON form of a model lives beside the model, in a file `Model+JSON.swift` that reads and writes it. The api only
// composes these forms: it adds lists and cursors, and joins the models of several capabilities.

extension NewJob {
    /// What a description of a job is for.
    public enum Purpose: Sendable {
        case job
        /// A job that cleans up after another one: it runs at once, once, and has no teardown of its own.
        case teardown
    }

    private enum Member: String, CaseIterable {
        case type, queue, payload, priority
        case runAt = "run_at"
        case delaySeconds = "delay_seconds"
        case maxAttempts = "max_attempts"
        case timeoutSeconds = "timeout_seconds"
        case cancelGraceSeconds = "cancel_grace_seconds"
        case backoff
        case uniqueKey = "unique_key"
        case uniqueFor = "unique_for"
        case concurrencyKey = "concurrency_key"
        case tags
        case traceParent = "trace_parent"
        case teardown
    }

    private static let membersOfJob = ObjectMembers<Member>(required: [.type])
    private static let membersOfTeardown = ObjectMembers<Member>(
        required: [.type],
        excluding: [
            .runAt: notInTeardown, .delaySeconds: notInTeardown, .teardown: notInTeardown, .uniqueKey: notInTeardown,
            .uniqueFor: notInTeardown,
        ])
    private static let notInTeardown = "is not accepted in a teardown"

    /// Reads the description of one job. nil after noting what is wrong.
    ///
    /// - Parameter payloadBytesMax: the longest accepted payload, also of a teardown.
    public static func read(
        _ input: inout InputReader, payloadBytesMax: Int, as purpose: Purpose = .job
    ) throws(JSONSyntaxError) -> NewJob? {
        let before = input.errors.count
        var job = NewJob(type: "")
        let members = purpose == .job ? membersOfJob : membersOfTeardown
        let found = try input.object(members) { input, member throws(JSONSyntaxError) in
            switch member {
            case .type: job.type = try input.text(.name) ?? ""
            case .queue: job.queue = try input.text(.name) ?? job.queue
            case .payload: job.payload = try input.json(bytesMax: payloadBytesMax) ?? []
            case .priority: job.priority = try input.integer(in: Int16.min...Int16.max) ?? 0
            case .runAt: job.runAt = try input.instant()
            case .delaySeconds: job.delaySeconds = try input.integer(in: JobLimits.delaySeconds)
            case .maxAttempts: job.maxAttempts = try input.integer(in: JobLimits.maxAttempts) ?? 1
            case .timeoutSeconds: job.timeoutSeconds = try input.integer(in: JobLimits.timeoutSeconds) ?? 0
            case .cancelGraceSeconds: job.cancelGraceSeconds = try input.integer(in: JobLimits.cancelGraceSeconds) ?? 0
            case .backoff: job.backoff = try Backoff.read(&input) ?? .standard
            case .uniqueKey: job.uniqueKey = try input.text(JobLimits.key)
            case .uniqueFor:
                job.uniqueSeconds = try input.integer(
                    in: JobLimits.uniqueSeconds, or: "active", noun: "an integer of seconds")
            case .concurrencyKey: job.concurrencyKey = try input.text(JobLimits.key)
            case .tags: job.tags = try readTags(&input)
            case .traceParent: job.traceParent = try readTraceParent(&input)
            case .teardown: job.teardown = try readTeardown(&input, payloadBytesMax: payloadBytesMax)
            }
        }
        if let found, found.contains(.uniqueFor), !found.contains(.uniqueKey) {
            input.add(Member.uniqueFor, "requires `unique_key`")
        }
        if let found, found.contains(.delaySeconds), found.contains(.runAt) {
            input.add(Member.delaySeconds, "excludes `run_at`")
        }
        return input.errors.count == before ? job : nil
    }

    private enum BatchMember: String, CaseIterable {
        case jobs
    }

    private static let membersOfBatch = ObjectMembers<BatchMember>(required: [.jobs])

    /// Reads `{"jobs": [...]}`, of 1 to `JobLimits.bulkJobsMax` jobs. Incomplete after noting what is wrong.
    public static func readBatch(
        _ input: inout InputReader, payloadBytesMax: Int
    ) throws(JSONSyntaxError) -> [NewJob] {
        var jobs: [NewJob] = []
        try input.object(membersOfBatch) { input, _ throws(JSONSyntaxError) in
            try input.array(1...JobLimits.bulkJobsMax, of: "jobs") { input throws(JSONSyntaxError) in
                if let job = try NewJob.read(&input, payloadBytesMax: payloadBytesMax) { jobs.append(job) }
            }
        }
        return jobs
    }

    /// The distinct tags, in their order.
    private static func readTags(_ input: inout InputReader) throws(JSONSyntaxError) -> [String] {
        var tags: [String] = []
        try input.array(0...JobLimits.tagsMax, of: "tags") { input throws(JSONSyntaxError) in
            guard let tag = try input.text(JobLimits.tag) else { return }
            // Bytes are compared: `==` on String takes differently composed letters for equal.
            if !tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) { tags.append(tag) }
        }
        return tags
    }

    private static func readTraceParent(_ input: inout InputReader) throws(JSONSyntaxError) -> String? {
        try input.value("must be a traceparent of W3C Trace Context, version 00") { text in
            TraceParent(parsing: text).map { _ in text }
        }
    }

    /// The description of the teardown, checked, as it is written.
    private static func readTeardown(
        _ input: inout InputReader, payloadBytesMax: Int
    ) throws(JSONSyntaxError) -> [UInt8]? {
        var copy = input
        let text = try copy.json()
        return try read(&input, payloadBytesMax: payloadBytesMax, as: .teardown) == nil ? nil : text
    }
}
