internal import EventLoop
internal import Postgres
internal import Synchronization
internal import Values

/// The jobs to insert whose keys other transactions have locked, for one loop.
///
/// A transaction that holds a new key makes every other one with that key wait for its end, which may be far away: a
/// program may have called `enqueue` and gone on to do something else. A batch with such a job would keep the other
/// jobs of the batch waiting, and the batches behind it. So the batch is split (`InsertJobs.commitKeyed`), and the jobs
/// of the locked key wait here, together and apart from all others.
///
/// One task for each key tries again with a pause after each failure: first one job alone, which is enough to find that
/// the key is free, then all others. A job in front that fails goes to the end, because it may be its other key (an
/// idempotency key) that is locked. The tries are brief, and one at a time for each pool (`LockWait.again`), so any
/// number of locked keys take at most half of one session.
///
/// A job that has waited for `ConnectionPool.Options.lockWaitMax` fails with 55P03, and is not created.
final class LockedKeys: Sendable {
    private struct Waiting {
        let item: InsertJobs.Item
        let deadline: MonotonicInstant
        let continuation: CheckedContinuation<InsertJobs.Answer, Never>
    }

    private let insert: InsertJobs
    /// A key has an entry, perhaps an empty one, while its task runs.
    private let waiting = Mutex<[LockKey: [Waiting]]>([:])

    init(_ insert: InsertJobs) {
        self.insert = insert
    }

    /// Whether jobs wait for this key.
    func contains(_ key: LockKey) -> Bool { waiting.withLock { $0[key] != nil } }

    /// Inserts the job as soon as its key is free.
    func insert(_ item: InsertJobs.Item, waitingFor key: LockKey) async -> InsertJobs.Answer {
        let deadline = MonotonicInstant.now() + insert.pool.options.lockWaitMax
        return await withCheckedContinuation { continuation in
            let isNew = waiting.withLock { waiting in
                let entry = Waiting(item: item, deadline: deadline, continuation: continuation)
                defer { waiting[key, default: []].append(entry) }
                return waiting[key] == nil
            }
            if isNew { insert.pool.loop.spawn { await self.run(key) } }
        }
    }

    private func run(_ key: LockKey) async {
        var pause = LockWait.pauseMin
        while true {
            try? await insert.pool.loop.sleep(for: pause * Double.random(in: 0.5...1))
            pause = min(pause * 2, LockWait.pauseMax)
            guard let first = takeFirst(key) else { return }
            guard await tryAgain([first], key) else { continue }
            while let batch = takeBatch(key) {
                guard await tryAgain(batch, key) else { break }
            }
        }
    }

    /// nil, and the key is forgotten, when no job waits for it.
    private func takeFirst(_ key: LockKey) -> Waiting? {
        waiting.withLock { waiting in
            guard let first = waiting[key]?.first else {
                waiting[key] = nil
                return nil
            }
            waiting[key]?.removeFirst()
            return first
        }
    }

    private func takeBatch(_ key: LockKey) -> [Waiting]? {
        waiting.withLock { waiting in
            guard let all = waiting[key], !all.isEmpty else { return nil }
            var bytes = 0
            let batch = all.prefix(InsertJobs.rowsMax).prefix { entry in
                defer { bytes += entry.item.job.bytes }
                return bytes == 0 || bytes + entry.item.job.bytes <= InsertJobs.bytesMax
            }
            waiting[key]?.removeFirst(batch.count)
            return Array(batch)
        }
    }

    /// Answers the jobs that are not locked any more, or have waited for too long. The others wait on, behind those
    /// that came in the meantime.
    /// - Returns: whether all are answered.
    private func tryAgain(_ batch: [Waiting], _ key: LockKey) async -> Bool {
        let answers = await insert.commitKeyed(batch.map(\.item), lockWait: .again)
        let now = MonotonicInstant.now()
        var locked: [Waiting] = []
        for (entry, answer) in zip(batch, answers) {
            switch answer {
            case .success(.keyLocked(let error)):
                if entry.deadline <= now {
                    entry.continuation.resume(returning: .failure(error))
                } else {
                    locked.append(entry)
                }
            default: entry.continuation.resume(returning: answer)
            }
        }
        guard !locked.isEmpty else { return true }
        waiting.withLock { $0[key, default: []] += locked }
        return false
    }
}

/// What a job to insert may wait for: its unique key or, without one, the idempotency key of its request.
enum LockKey: Hashable, Sendable {
    case unique(type: String, key: String)
    case idempotency(String)
}

extension InsertJobs.Item {
    /// nil: the job waits for no other transaction.
    var lockKey: LockKey? {
        if let key = job.uniqueKey { return .unique(type: job.type, key: key) }
        return slot.map { .idempotency($0.request.key) }
    }
}
