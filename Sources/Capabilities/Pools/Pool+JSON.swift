public import JSON

extension Pool {
    /// Appends the pool as an object.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", spec.name)
        writer.key("size")
        if let size = spec.size { writer.integer(size) } else { writer.string("auto") }
        writer.member("handler", spec.handler)
        writer.array("workloads", spec.workloads) { $0.string($1) }
        writer.member("version", version)
        writer.member("complete", isComplete)
        writer.member("waiting_for_members", membership.isWaitingForMembers)
        writer.member("effective_size", effectiveSize)
        writer.array("members", members) { writer, member in member.write(to: &writer, state: state(of: member)) }
        writer.array("missing", missing) { $0.integer($1) }
        writer.key("created_at")
        writer.string(createdAt)
        writer.key("updated_at")
        writer.string(updatedAt)
        writer.optional("updated_by", updatedBy) { $0.string($1) }
        writer.optional("reason", reason) { $0.string($1) }
        writer.endObject()
    }
}

extension PoolMember {
    fileprivate func write(to writer: inout JSONWriter, state: Pool.MemberState) {
        writer.beginObject()
        writer.member("ordinal", ordinal)
        writer.member("name", name)
        writer.member("host", host)
        writer.key("incarnation")
        writer.string(incarnation)
        writer.member("state", state.rawValue)
        writer.key("joined_at")
        writer.string(joinedAt)
        writer.key("expires_at")
        writer.string(expiresAt)
        writer.endObject()
    }
}

extension Workload {
    /// Appends the workload as an object.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("workload", name)
        writer.member("state", state.rawValue)
        writer.optional("ordinal", owner) { $0.integer($1) }
        writer.optional("member", member) { $0.string($1) }
        writer.optional("holder", holder) { $0.integer($1) }
        writer.member("lease_token", token)
        writer.optional("acquired_at", acquiredAt) { $0.string($1) }
        writer.optional("lease_expires_at", expiresAt) { $0.string($1) }
        writer.optional("started_at", startedAt) { $0.string($1) }
        writer.member("restarts", restarts)
        writer.optional("last_error", lastError) { $0.string($1) }
        writer.optional("last_error_at", lastErrorAt) { $0.string($1) }
        writer.endObject()
    }
}
