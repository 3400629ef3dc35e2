public import Postgres
public import Values

/// One reason why a job is not running. When none of its reasons holds any more, the next lease takes the job.
public enum WaitReason: Equatable, Sendable {
    /// It runs, so it does not wait. The name of a worker is deleted some time after its end.
    case running(worker: String?, since: WallInstant, isEnding: Bool, hold: LeaseHold?)
    case ended(JobStatus, at: WallInstant)
    /// Its `run_at` lies ahead, or has just passed.
    case scheduled(runAt: WallInstant, isDue: Bool)
    /// All jobs, its queue or its type are paused.
    case paused(HoldingPause)
    /// `max_running` of its queue is reached; with ten at most of the jobs that run.
    case queueFull(queue: String, most: Int32, holders: [UUID])
    /// The rate limit of its queue is reached.
    case rateReached(queue: String, nextStart: WallInstant)
    /// `max_running_per_key` is reached for its concurrency key.
    case keyFull(key: String, most: Int32, holders: [UUID])
    case noWorkerForQueue(String)
    /// Workers serve its queue, but none has a handler for its type.
    case noWorkerForType(String, workers: Int64)
    /// All workers that take it are paused by their own control files.
    case workersPaused(workers: Int64)
    /// All workers that take it, and are not paused by a file, run as many jobs as they can.
    case workersBusy(workers: Int64)
    /// Ready jobs that go before it, counted to `JobFacts.aheadMax`.
    case jobsAhead(Int64)
    /// Other fairness keys of its group: the workers serve them in turn.
    case fairness(Int64)
    /// Nothing holds it back.
    case next
}

extension JobStore {
    /// Every reason that holds the job back now, and its status; nil: no such job exists.
    public func why(_ id: UUID) async throws(PostgresError) -> (status: JobStatus, reasons: [WaitReason])? {
        guard let facts = try await facts(of: id) else { return nil }
        let waits = facts.finishedAt == nil && facts.startedAt == nil
        return (facts.status, WaitReason.all(of: facts, pauses: waits ? try await pauses(of: id) : []))
    }
}

extension WaitReason {
    static func all(of facts: JobFacts, pauses: [HoldingPause] = []) -> [WaitReason] {
        if let finishedAt = facts.finishedAt { return [.ended(facts.status, at: finishedAt)] }
        if let since = facts.startedAt {
            return [.running(worker: facts.worker, since: since, isEnding: facts.status == .ending, hold: facts.hold)]
        }
        var reasons = pauses.map { WaitReason.paused($0) }
        if let runAt = facts.runAt { reasons.append(.scheduled(runAt: runAt, isDue: runAt <= facts.now)) }
        if let limit = facts.fullQueue {
            reasons.append(.queueFull(queue: facts.queue, most: limit.most, holders: limit.holders))
        }
        if let nextStart = facts.nextStart { reasons.append(.rateReached(queue: facts.queue, nextStart: nextStart)) }
        if let limit = facts.fullKey {
            reasons.append(.keyFull(key: facts.concurrencyKey ?? "", most: limit.most, holders: limit.holders))
        }
        if let reason = reasonOfWorkers(facts) { reasons.append(reason) }
        if facts.ahead > 0 { reasons.append(.jobsAhead(facts.ahead)) }
        if facts.otherKeys > 0 { reasons.append(.fairness(facts.otherKeys)) }
        return reasons.isEmpty ? [.next] : reasons
    }

    private static func reasonOfWorkers(_ facts: JobFacts) -> WaitReason? {
        if facts.workersOfQueue == 0 { return .noWorkerForQueue(facts.queue) }
        if facts.workersOfType == 0 { return .noWorkerForType(facts.type, workers: facts.workersOfQueue) }
        if facts.workersPaused == facts.workersOfType { return .workersPaused(workers: facts.workersPaused) }
        return facts.workersIdle == 0 ? .workersBusy(workers: facts.workersOfType - facts.workersPaused) : nil
    }
}

// MARK: Texts

extension WaitReason {
    /// For programs.
    public var code: String {
        switch self {
        case .running(_, _, let isEnding, _): isEnding ? "ending" : "running"
        case .ended: "ended"
        case .scheduled: "scheduled"
        case .paused: "paused"
        case .queueFull: "queue_full"
        case .rateReached: "rate_reached"
        case .keyFull: "key_full"
        case .noWorkerForQueue: "no_worker_for_queue"
        case .noWorkerForType: "no_worker_for_type"
        case .workersPaused: "workers_paused"
        case .workersBusy: "workers_busy"
        case .jobsAhead: "jobs_ahead"
        case .fairness: "fairness"
        case .next: "next"
        }
    }

    /// For people.
    public var detail: String {
        switch self {
        case .running(let worker, let since, let isEnding, let hold):
            "\(worker.map { "the worker \($0)" } ?? "a worker") has had it since \(since)"
                + (isEnding ? ", and is asked to stop it" : "") + (hold.map { "; \($0.detail)" } ?? "")
        case .ended(let status, let at): "it \(status == .cancelled ? "was cancelled" : status.rawValue) at \(at)"
        case .scheduled(let runAt, false): "it is scheduled for \(runAt)"
        case .scheduled(let runAt, true): "its time came at \(runAt); the reaper or a worker is about to make it ready"
        case .paused(let pause):
            "\(pause.scope) has been paused by \(pause.updatedBy) since \(pause.since)"
                + " (version \(pause.version)): \(pause.reason)"
        case .queueFull(let queue, let most, _): "the queue \(queue) runs as many jobs as it may: \(most) (max_running)"
        case .rateReached(let queue, let nextStart):
            "the rate of the queue \(queue) allows the next start at \(nextStart)"
        case .keyFull(let key, let most, _):
            "as many jobs with the concurrency key \(key) run as may: \(most) (max_running_per_key)"
        case .noWorkerForQueue(let queue): "no live worker takes the queue \(queue)"
        case .noWorkerForType(let type, let workers):
            "no live worker has a handler for the type \(type); workers that take its queue: \(workers)"
        case .workersPaused(let workers): "every worker that takes it is paused by its control file: \(workers) of them"
        case .workersBusy(let workers):
            "every worker that takes it has as many jobs as it runs at once: \(workers) of them"
        case .jobsAhead(let count) where count > JobFacts.aheadMax: "more than \(JobFacts.aheadMax) jobs go before it"
        case .jobsAhead(let count): "jobs that go before it, by priority or age: \(count)"
        case .fairness(let count):
            "other concurrency keys, or kinds of jobs without one, that take fairness_keys with it: \(count)"
        case .next: "nothing holds it back: the next lease takes it"
        }
    }
}
