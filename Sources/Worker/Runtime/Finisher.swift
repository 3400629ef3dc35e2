internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry
internal import Values

/// Writes the results of attempts, in batches, and retries while their leases last.
///
/// A result whose commit was not acknowledged is sent again. The lease token makes that harmless: if the first try was
/// committed, the second finds no lease and changes nothing.
final class Finisher: Sendable {
    private struct Item: Sendable {
        let attempt: FinishedAttempt
        /// The end of its lease by this machine's clock; nil: the lease is no longer held.
        let leaseEnd: @Sendable () -> MonotonicInstant?
    }

    /// Pause between tries while PostgreSQL is unavailable.
    private static let retryPause = Duration.milliseconds(250)

    private let store: JobStore
    private let loop: Loop
    private let logger: Logger
    private let batches: GroupCommit<Item, FinishAnswer>
    private let submitter: GroupCommit<Item, FinishAnswer>.Submitter

    init(store: JobStore, on loop: Loop, logger: Logger) {
        self.store = store
        self.loop = loop
        self.logger = logger
        batches = GroupCommit(itemsMax: JobStore.finishedMax, weightMax: 8 << 20, inFlightMax: 2)
        submitter = batches.submitter(on: loop) { items in await Self.write(items, to: store, on: loop, logger) }
    }

    /// The number of results that have not been sent yet.
    var backlog: Int { batches.backlog }

    /// Queues a result and returns at once. Calls `then` on the loop with the outcome for the job.
    func finish(
        _ attempt: FinishedAttempt, until leaseEnd: @escaping @Sendable () -> MonotonicInstant?,
        then: @escaping @Sendable (FinishAnswer) -> Void
    ) {
        var weight = 64
        if case .succeeded(let result?) = attempt.result { weight += result.count }
        submitter.submit(Item(attempt: attempt, leaseEnd: leaseEnd), weight: weight, then: then)
    }

    private static func write(
        _ items: [Item], to store: JobStore, on loop: Loop, _ logger: Logger
    ) async -> [FinishAnswer] {
        var mayBeCommitted = false
        while true {
            do throws(PostgresError) {
                let answers = try await store.finish(items.map(\.attempt))
                // The lease may be gone because an unacknowledged try was committed.
                return mayBeCommitted ? answers.map { $0 == .leaseLost ? .succeeded : $0 } : answers
            } catch {
                if error.isOutcomeUnknown { mayBeCommitted = true }
                if error.sqlState?.concernsData == true {
                    return await writeOneByOne(items, to: store, on: loop, error, logger)
                }
                logger.warning(
                    "cannot write attempt results; retrying",
                    [
                        "count": .integer(items.count), "error": .error(error),
                    ])
                let now = MonotonicInstant.now()
                if items.allSatisfy({ $0.leaseEnd().map { $0 <= now } ?? true }) {
                    return Array(repeating: .leaseLost, count: items.count)
                }
                try? await loop.sleep(for: retryPause)
            }
        }
    }

    /// PostgreSQL rejected the data of the statement. Each result is written alone, and only the job whose result is
    /// rejected fails.
    private static func writeOneByOne(
        _ items: [Item], to store: JobStore, on loop: Loop, _ error: PostgresError, _ logger: Logger
    ) async -> [FinishAnswer] {
        if items.count > 1 {
            var answers: [FinishAnswer] = []
            for item in items { answers += await write([item], to: store, on: loop, logger) }
            return answers
        }
        logger.error(
            "PostgreSQL rejected an attempt result; failing the job",
            [
                "job_id": .text(items[0].attempt.lease.id), "error": .error(error),
            ])
        if case .failed = items[0].attempt.result { return [.leaseLost] }
        let rejected = AttemptResult.failed(error: "PostgreSQL rejected the result of the attempt: \(error)")
        let attempt = FinishedAttempt(lease: items[0].attempt.lease, result: rejected)
        return await write([Item(attempt: attempt, leaseEnd: items[0].leaseEnd)], to: store, on: loop, logger)
    }
}
