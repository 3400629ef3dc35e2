public import Postgres
public import Values

/// The result of a change of one job.
public enum ChangeAnswer: Sendable {
    /// Changed; the job as it is now.
    case done(Job)
    /// The job's state does not allow the change; the job as it is.
    case refused(Job)
    /// No such job exists.
    case unknown
}

/// Changes of one job. `CancelJobs.swift`, `CancelRunningJobs.swift`, `RetryJobs.swift` and `RunJobsNow.swift` have the
/// statements.
extension JobStore {
    /// How often a change is tried of a job that is promoted or leased at the same time.
    private static let changeAttemptsMax = 3

    /// Cancels a job that waits (`queued` or `scheduled`), and asks one that runs to stop: it is `ending` until its
    /// worker confirms.
    public func cancel(_ id: UUID, by actor: Actor = .unnamed) async throws(PostgresError) -> ChangeAnswer {
        try await change(id, whileIn: [.queued, .scheduled, .running]) { () async throws(PostgresError) in
            if try await !cancelWaiting([id], by: actor).isEmpty { return true }
            return try await !requestCancel([id], by: actor).isEmpty
        }
    }

    /// Sends a job that has failed or was cancelled back to its queue, to run at once. One that waits for its next
    /// attempt waits no longer.
    public func retry(_ id: UUID, by actor: Actor = .unnamed) async throws(PostgresError) -> ChangeAnswer {
        try await change(id, whileIn: [.failed, .cancelled, .scheduled]) { () async throws(PostgresError) in
            if try await !retryEnded([id], by: actor).isEmpty { return true }
            return try await runScheduled([id], by: actor)
        }
    }

    /// Lets a scheduled job run at once, whatever it waits for.
    public func runNow(_ id: UUID, by actor: Actor = .unnamed) async throws(PostgresError) -> ChangeAnswer {
        try await change(id, whileIn: [.scheduled]) { () async throws(PostgresError) in
            try await runScheduled([id], by: actor)
        }
    }

    /// - Parameter isChanged: makes the change; false if it did not find the job in a state that allows it.
    private func change(
        _ id: UUID, whileIn allowed: Set<JobStatus>, _ isChanged: () async throws(PostgresError) -> Bool
    ) async throws(PostgresError) -> ChangeAnswer {
        for attempt in 1... {
            let changed = try await isChanged()
            guard let job = try await find(id) else { return .unknown }
            if changed { return .done(job) }
            if !allowed.contains(job.status) || attempt == Self.changeAttemptsMax { return .refused(job) }
        }
        return .unknown
    }
}
