public import JSON

extension Job {
    /// Appends the job as an object with all of its members, null where there is no value.
    /// - Parameter members: of the large members, those to write; the others are absent, not null.
    public func write(to writer: inout JSONWriter, with members: JobMembers = .all) {
        writer.beginObject()
        writer.key("id")
        writer.string(id)
        writer.member("type", type)
        writer.member("queue", queue)
        writer.member("status", status.rawValue)
        writer.member("priority", priority)
        if members.contains(.payload) {
            writer.key("payload")
            writer.raw(payload)
        }
        writer.member("attempt", attempt)
        writer.member("max_attempts", maxAttempts)
        writer.member("timeout_seconds", timeoutSeconds)
        writer.member("cancel_grace_seconds", cancelGraceSeconds)
        writer.key("backoff")
        backoff.write(to: &writer)
        writer.optional("unique_key", uniqueKey) { $0.string($1) }
        writer.optional("concurrency_key", concurrencyKey) { $0.string($1) }
        writer.key("tags")
        writer.beginArray()
        for tag in tags { writer.string(tag) }
        writer.endArray()
        writeTimes(to: &writer)
        writer.optional("trace_parent", traceParent) { $0.string($1) }
        if members.contains(.teardown) { writer.optional("teardown", teardown) { $0.raw($1) } }
        writer.optional("worker", worker) { $0.string($1) }
        writer.optional("lease_token", leaseToken) { $0.integer($1) }
        writer.optional("lease_expires_at", leaseExpiresAt) { $0.string($1) }
        writer.optional("progress", progress) { $1.write(to: &$0) }
        if members.contains(.result) { writer.optional("result", result) { $0.raw($1) } }
        if members.contains(.lastError) { writer.optional("last_error", lastError) { $0.raw($1) } }
        writer.endObject()
    }

    private func writeTimes(to writer: inout JSONWriter) {
        writer.optional("created_at", createdAt) { $0.string($1) }
        writer.optional("run_at", runAt) { $0.string($1) }
        writer.optional("started_at", startedAt) { $0.string($1) }
        writer.optional("finished_at", finishedAt) { $0.string($1) }
    }
}
