public import JSON
internal import Values

extension WaitReason {
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("code", code)
        writer.member("detail", detail)
        writeParticulars(to: &writer)
        writer.endObject()
    }

    private func writeParticulars(to writer: inout JSONWriter) {
        switch self {
        case .running(let worker, let since, _, let hold):
            writer.optional("worker", worker) { $0.string($1) }
            writer.optional("since", since) { $0.string($1) }
            guard let hold else { return }
            writer.optional("worker_state", hold.workerState) { $0.string($1.rawValue) }
            writer.optional("heartbeat_at", hold.heartbeatAt) { $0.string($1) }
            writer.key("lease_expires_at")
            writer.string(hold.expiresAt)
            writer.member("takeover", hold.takeover.rawValue)
        case .ended(_, let at): writer.optional("at", at) { $0.string($1) }
        case .scheduled(let runAt, _): writer.optional("run_at", runAt) { $0.string($1) }
        case .paused(let pause):
            writer.member("scope", pause.scope)
            writer.member("version", pause.version)
            writer.member("updated_by", pause.updatedBy)
            writer.member("reason", pause.reason)
            writer.optional("since", pause.since) { $0.string($1) }
            writer.optional("resume_at", pause.resumeAt) { $0.string($1) }
        case .queueFull(_, let most, let holders):
            writer.member("max_running", most)
            Self.write(holders, to: &writer)
        case .rateReached(_, let nextStart): writer.optional("next_start", nextStart) { $0.string($1) }
        case .keyFull(let key, let most, let holders):
            writer.member("concurrency_key", key)
            writer.member("max_running_per_key", most)
            Self.write(holders, to: &writer)
        case .noWorkerForType(_, let workers), .workersPaused(let workers), .workersBusy(let workers):
            writer.member("workers", workers)
        case .jobsAhead(let count), .fairness(let count): writer.member("count", count)
        case .noWorkerForQueue, .next: break
        }
    }

    /// The jobs that hold what this one waits for.
    private static func write(_ holders: [UUID], to writer: inout JSONWriter) {
        writer.key("jobs")
        writer.beginArray()
        for id in holders { writer.string(id) }
        writer.endArray()
    }
}
