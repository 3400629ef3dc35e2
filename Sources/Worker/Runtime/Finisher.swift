internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry
internal import Values

/// Has the ends of attempts written down, merged into few statements, and goes on trying while their leases last.
///
/// An end whose commit was not acknowledged is sent again. The fence makes that harmless: if the first try was
/// committed, the second finds no lease and changes nothing.
final class Finisher: Sendable {
    private struct Item: Sendable {
        let attempt: FinishedAttempt
        /// When its lease ends, as far as this worker knows.
        let leaseEnd: @Sendable () -> MonotonicInstant?
    }

    /// Pauses between tries while PostgreSQL is away.
    private static let pause = Duration.milliseconds(250)

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

    /// Ends that have not been sent yet.
    var backlog: Int { batches.backlog }

    /// Returns at once; `then` is called on the loop with what became of the job.
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
                // What an unacknowledged try has committed is not lost.
                return mayBeCommitted ? answers.map { $0 == .leaseLost ? .succeeded : $0 } : answers
            } catch {
                if error.isOutcomeUnknown { mayBeCommitted = true }
                if error.sqlState?.concernsData == true {
                    return await writeOneByOne(items, to: store, on: loop, error, logger)
                }
                logger.warning(
                    "ends of attempts are not written down yet",
                    [
                        "count": .integer(items.count), "error": .error(error),
                    ])
                let now = MonotonicInstant.now()
                if items.allSatisfy({ $0.leaseEnd().map { $0 <= now } ?? true }) {
                    return Array(repeating: .leaseLost, count: items.count)
                }
                try? await loop.sleep(for: pause)
            }
        }
    }

    /// PostgreSQL has refused the statement: whose result it does not take fails, and only that.
    private static func writeOneByOne(
        _ items: [Item], to store: JobStore, on loop: Loop, _ error: PostgresError, _ logger: Logger
    ) async -> [FinishAnswer] {
        if items.count > 1 {
            var answers: [FinishAnswer] = []
            for item in items { answers += await write([item], to: store, on: loop, logger) }
            return answers
        }
        logger.error(
            "PostgreSQL refused the end of an attempt",
            [
                "job_id": .text(items[0].attempt.lease.id), "error": .error(error),
            ])
        if case .failed = items[0].attempt.result { return [.leaseLost] }
        let refused = AttemptResult.failed(error: "PostgreSQL refused the result of the attempt: \(error)")
        let attempt = FinishedAttempt(lease: items[0].attempt.lease, result: refused)
        return await write([Item(attempt: attempt, leaseEnd: items[0].leaseEnd)], to: store, on: loop, logger)
    }
}
