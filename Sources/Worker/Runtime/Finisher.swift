internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Writes the results of attempts, in batches, and retries while their leases last.
///
/// A result whose commit was not acknowledged is sent again. The lease token makes that harmless: if the first try was
/// committed, the second finds no lease and changes nothing. The answer is then `unacknowledged`, because a lease that
/// was lost looks the same.
///
/// A result whose lease another transaction has locked waits apart from all others: a handler that has left a
/// transaction with `assert_lease` open delays its own job only. It is tried again, without a wait for the lock, after
/// each pause while its lease lasts.
final class Finisher: Sendable {
    private struct Item: Sendable {
        let attempt: FinishedAttempt
        /// The end of its lease by this machine's clock; nil: the lease is no longer held.
        let leaseEnd: @Sendable () -> MonotonicInstant?
        /// Whether a try was not acknowledged.
        var mayBeCommitted = false

        func hasEnded(at now: MonotonicInstant) -> Bool { leaseEnd().map { $0 <= now } ?? true }

        /// The answer where the lease is gone.
        var lost: FinishAnswer { mayBeCommitted ? .unacknowledged : .leaseLost }
    }

    /// An item that was written, or is locked, and its answer.
    private struct Written: Sendable {
        let item: Item
        let answer: FinishAnswer
    }

    private struct Locked {
        let item: Item
        let then: @Sendable (FinishAnswer) -> Void
    }

    private struct LockedItems {
        var waiting: [Locked] = []
        /// Waiting, or being written.
        var count = 0
    }

    /// Pause between tries while PostgreSQL is unavailable, or a lease is locked.
    private static let retryPause = Duration.milliseconds(250)
    /// Maximum size of the results in one batch. A connection holds a batch twice: encoded, and in libpq's buffer.
    private static let batchBytesMax = 4 * 1_048_576

    private let store: JobStore
    private let loop: Loop
    private let logger: Logger
    private let batches: GroupCommit<Item, Written>
    private let submitter: GroupCommit<Item, Written>.Submitter
    private let locked = Mutex(LockedItems())

    init(store: JobStore, on loop: Loop, logger: Logger) {
        self.store = store
        self.loop = loop
        self.logger = logger
        batches = GroupCommit(itemsMax: JobStore.finishedMax, weightMax: Self.batchBytesMax, inFlightMax: 2)
        submitter = batches.submitter(on: loop) { items in await Self.write(items, to: store, on: loop, logger) }
    }

    /// The number of results that have not been sent yet, or whose leases are locked.
    var backlog: Int { batches.backlog + locked.withLock { $0.count } }

    /// Queues a result and returns at once. Calls `then` on the loop with the outcome for the job.
    func finish(
        _ attempt: FinishedAttempt, until leaseEnd: @escaping @Sendable () -> MonotonicInstant?,
        then: @escaping @Sendable (FinishAnswer) -> Void
    ) {
        let item = Item(attempt: attempt, leaseEnd: leaseEnd)
        submitter.submit(item, weight: 64 + attempt.result.byteCount) { [self] written in
            if written.answer == .locked { wait(written.item, then) } else { then(written.answer) }
        }
    }

    // MARK: Locked leases

    private func wait(_ item: Item, _ then: @escaping @Sendable (FinishAnswer) -> Void) {
        logger.warning(
            "another transaction has locked the lease of an ended attempt; its result waits",
            ["job_id": .text(item.attempt.lease.id)])
        let isFirst = locked.withLock { locked in
            locked.waiting.append(Locked(item: item, then: then))
            locked.count += 1
            return locked.count == 1
        }
        if isFirst { loop.spawn { await self.writeLocked() } }
    }

    /// Runs until no result waits for a lock.
    private func writeLocked() async {
        repeat {
            try? await loop.sleep(for: Self.retryPause)
            let batch = locked.withLock { locked in
                let batch = locked.waiting.prefix(JobStore.finishedMax)
                locked.waiting.removeFirst(batch.count)
                return Array(batch)
            }
            let results = await Self.write(batch.map(\.item), areLocked: true, to: store, on: loop, logger)
            let now = MonotonicInstant.now()
            for (entry, written) in zip(batch, results) {
                if written.answer != .locked {
                    entry.then(written.answer)
                } else if written.item.hasEnded(at: now) {
                    entry.then(written.item.lost)
                } else {
                    locked.withLock { $0.waiting.append(Locked(item: written.item, then: entry.then)) }
                    continue
                }
                locked.withLock { $0.count -= 1 }
            }
        } while locked.withLock { $0.count > 0 }
    }

    // MARK: Writing

    private static func write(
        _ items: [Item], areLocked: Bool = false, to store: JobStore, on loop: Loop, _ logger: Logger
    ) async -> [Written] {
        var items = items
        while true {
            do throws(PostgresError) {
                let attempts = items.map(\.attempt)
                let answers = areLocked ? try await store.finishUnlocked(attempts) : try await store.finish(attempts)
                return zip(items, answers).map { Written(item: $0, answer: $1 == .leaseLost ? $0.lost : $1) }
            } catch {
                if error.isOutcomeUnknown { for index in items.indices { items[index].mayBeCommitted = true } }
                if error.sqlState?.concernsData == true {
                    return await writeOneByOne(items, areLocked: areLocked, to: store, on: loop, error, logger)
                }
                logger.warning(
                    "cannot write attempt results; retrying",
                    [
                        "count": .integer(items.count), "error": .error(error),
                    ])
                let now = MonotonicInstant.now()
                if items.allSatisfy({ $0.hasEnded(at: now) }) {
                    return items.map { Written(item: $0, answer: $0.lost) }
                }
                try? await loop.sleep(for: retryPause)
            }
        }
    }

    /// PostgreSQL rejected the data of the statement. Each result is written alone, and only the job whose result is
    /// rejected fails.
    private static func writeOneByOne(
        _ items: [Item], areLocked: Bool, to store: JobStore, on loop: Loop, _ error: PostgresError, _ logger: Logger
    ) async -> [Written] {
        if items.count > 1 {
            var results: [Written] = []
            for item in items { results += await write([item], areLocked: areLocked, to: store, on: loop, logger) }
            return results
        }
        logger.error(
            "PostgreSQL rejected an attempt result; failing the job",
            [
                "job_id": .text(items[0].attempt.lease.id), "error": .error(error),
            ])
        if case .failed = items[0].attempt.result { return [Written(item: items[0], answer: items[0].lost)] }
        let rejected = AttemptResult.failed(error: "PostgreSQL rejected the result of the attempt: \(error)")
        let attempt = FinishedAttempt(lease: items[0].attempt.lease, result: rejected)
        let item = Item(attempt: attempt, leaseEnd: items[0].leaseEnd, mayBeCommitted: items[0].mayBeCommitted)
        return await write([item], areLocked: areLocked, to: store, on: loop, logger)
    }
}
