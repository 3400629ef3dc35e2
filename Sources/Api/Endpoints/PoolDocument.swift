internal import JSON
internal import Jobs
internal import Pools
internal import Telemetry

/// What the API says of pools.
enum PoolDocument {
    static func pool(_ pool: Pool) -> [UInt8] {
        var writer = JSONWriter(capacity: 512 + 40 * pool.spec.workloads.count)
        write(pool, to: &writer)
        return writer.finish()
    }

    static func pools(_ pools: [Pool]) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + 1_024 * pools.count)
        writer.beginObject()
        writer.key("pools")
        writer.beginArray()
        for pool in pools { write(pool, to: &writer) }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }

    static func assignments(_ workloads: [Workload], of pool: Pool) -> [UInt8] {
        var writer = JSONWriter(capacity: 128 + 384 * workloads.count)
        writer.beginObject()
        writer.member("pool", pool.spec.name)
        writer.member("version", pool.version)
        writer.member("complete", pool.isComplete)
        writer.key("assignments")
        writer.beginArray()
        for workload in workloads { write(workload, to: &writer) }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }

    private static func write(_ pool: Pool, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", pool.spec.name)
        writer.key("size")
        if let size = pool.spec.size { writer.integer(size) } else { writer.string("auto") }
        writer.member("handler", pool.spec.handler)
        writer.key("workloads")
        writer.beginArray()
        for name in pool.spec.workloads { writer.string(name) }
        writer.endArray()
        writer.member("version", pool.version)
        writer.member("complete", pool.isComplete)
        writer.member("waiting_for_members", pool.membership.isWaitingForMembers)
        writer.member("effective_size", pool.effectiveSize)
        writer.key("members")
        writer.beginArray()
        for member in pool.members { write(member, of: pool, to: &writer) }
        writer.endArray()
        writer.key("missing")
        writer.beginArray()
        for ordinal in pool.missing { writer.integer(ordinal) }
        writer.endArray()
        writer.key("created_at")
        writer.string(pool.createdAt)
        writer.key("updated_at")
        writer.string(pool.updatedAt)
        writer.optional("updated_by", pool.updatedBy) { $0.string($1) }
        writer.optional("reason", pool.reason) { $0.string($1) }
        writer.endObject()
    }

    private static func write(_ member: PoolMember, of pool: Pool, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("ordinal", member.ordinal)
        writer.member("name", member.name)
        writer.member("host", member.host)
        writer.key("incarnation")
        writer.string(member.incarnation)
        writer.member("state", pool.state(of: member).rawValue)
        writer.key("joined_at")
        writer.string(member.joinedAt)
        writer.key("expires_at")
        writer.string(member.expiresAt)
        writer.endObject()
    }

    private static func write(_ workload: Workload, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("workload", workload.name)
        writer.member("state", workload.state.rawValue)
        writer.optional("ordinal", workload.owner) { $0.integer($1) }
        writer.optional("member", workload.member) { $0.string($1) }
        writer.optional("holder", workload.holder) { $0.integer($1) }
        writer.member("lease_token", workload.token)
        writer.optional("acquired_at", workload.acquiredAt) { $0.string($1) }
        writer.optional("lease_expires_at", workload.expiresAt) { $0.string($1) }
        writer.optional("started_at", workload.startedAt) { $0.string($1) }
        writer.member("restarts", workload.restarts)
        writer.optional("last_error", workload.lastError) { $0.string($1) }
        writer.optional("last_error_at", workload.lastErrorAt) { $0.string($1) }
        writer.endObject()
    }
}
