public import Postgres
public import Values

/// The result of a request to create a job.
public enum InsertAnswer: Sendable {
    /// Created by this request, or by an earlier one with the same idempotency key.
    case created(Job)
    /// Not created: this job holds its unique key.
    case existing(Job)
    /// The same, of a job that has been removed since. Only a request with an idempotency key gets it: its answer has
    /// been decided before.
    case removed(UUID)
    /// The idempotency key belongs to a request with another body.
    case otherRequest
}

/// The jobs of a bulk request, in its order.
public struct InsertedJobs: Hashable, Sendable {
    public let ids: [UUID]
    /// Whether each existed before and holds the unique key.
    public let existing: [Bool]
}

extension JobStore {
    /// How often an insertion is tried when the job that holds its unique key is removed before it can be read.
    private static let insertAttemptsMax = 3

    /// Creates a job, and returns after the commit. Jobs that the process creates at the same time share the
    /// transaction.
    ///
    /// - Throws: an error with `isOutcomeUnknown` if the connection was lost during the commit and PostgreSQL did not
    ///   return in time: the job may exist. 55P03 if another transaction kept a key of the job locked: it was not
    ///   created.
    public func insert(
        _ job: NewJob, as request: IdempotentRequest?
    ) async throws(PostgresError) -> InsertAnswer {
        var subqueue = subqueues.id(for: job)
        if subqueue == nil { subqueue = try await subqueues.ids(for: [job], on: hot).first }
        guard let subqueue else { throw .misuse("a subqueue was registered and not found") }
        for attempt in 1... {
            let id = identifiers.next()
            let slot = request.map { InsertJobs.IdempotencySlot(request: $0, requestID: id, number: 1) }
            let item = InsertJobs.Item(id: id, subqueue: subqueue, job: job, slot: slot)
            switch try await inserts.submit(item).get() {
            case .created(let id, let createdAt, let traceParent):
                var job = job
                job.traceParent = traceParent
                return .created(Job(created: job, id: id, at: createdAt))
            case .existing(let id):
                if let job = try await find(id) { return .existing(job) }
                if request != nil || attempt == Self.insertAttemptsMax { return .removed(id) }
            case .otherRequest:
                return .otherRequest
            case .keyLocked(let error):
                throw error
            }
        }
        throw .misuse("there is no last attempt")
    }

    /// Creates all of `jobs`, or none, in one transaction, except those whose unique key another job holds. At most
    /// `JobLimits.bulkJobsMax`. nil: the idempotency key belongs to a request with another body.
    public func insertAll(
        _ jobs: [NewJob], as request: IdempotentRequest?
    ) async throws(PostgresError) -> InsertedJobs? {
        let ids = try await subqueues.ids(for: jobs, on: hot)
        var items: [InsertJobs.Item] = []
        items.reserveCapacity(jobs.count)
        for (subqueue, job) in zip(ids, jobs) {
            let id = identifiers.next()
            let slot = request.map {
                InsertJobs.IdempotencySlot(
                    request: $0, requestID: items.first?.id ?? id, number: Int32(items.count + 1))
            }
            items.append(InsertJobs.Item(id: id, subqueue: subqueue, job: job, slot: slot))
        }
        let insert = InsertJobs(pool: hot, subqueues: subqueues, notifier: notifier)
        var inserted: (ids: [UUID], existing: [Bool]) = ([], [])
        for result in try await insert.insertOnce(items, lockWait: .inTries).get() {
            switch result {
            case .created(let id, _, _):
                inserted.ids.append(id)
                inserted.existing.append(false)
            case .existing(let id):
                inserted.ids.append(id)
                inserted.existing.append(true)
            case .otherRequest:
                return nil
            case .keyLocked(let error):
                throw error
            }
        }
        return InsertedJobs(ids: inserted.ids, existing: inserted.existing)
    }
}

/// Batches the jobs that all loops of the process create one by one. Jobs without a key have batches of their own,
/// because nothing makes these wait for another transaction.
public struct InsertBatcher: Sendable {
    typealias Group = GroupCommit<InsertJobs.Item, InsertJobs.Answer>

    let unkeyed = group(inFlightMax: InsertJobs.inFlightMax)
    let keyed = group(inFlightMax: InsertJobs.keyedInFlightMax)

    private static func group(inFlightMax: Int) -> Group {
        Group(
            itemsMax: InsertJobs.rowsMax, weightMax: InsertJobs.bytesMax, inFlightMax: inFlightMax,
            waitLimit: Group.WaitLimit(InsertJobs.waitMax) {
                .failure(.poolExhausted(waited: $0, lastFailure: nil))
            })
    }

    public init() {}

    func submitter(_ insert: InsertJobs) -> Submitter {
        let loop = insert.pool.loop
        return Submitter(
            unkeyed: unkeyed.submitter(on: loop) { await insert.commit($0, lockWait: .inTries) },
            keyed: keyed.submitter(on: loop) { await insert.commitKeyed($0, lockWait: .once) },
            locked: LockedKeys(insert))
    }

    /// Submits the jobs of one loop.
    struct Submitter: Sendable {
        let unkeyed: Group.Submitter
        let keyed: Group.Submitter
        let locked: LockedKeys

        /// Call it on the loop.
        func submit(_ item: InsertJobs.Item) async -> InsertJobs.Answer {
            guard let key = item.lockKey else { return await unkeyed.submit(item, weight: item.job.bytes) }
            if !locked.contains(key) {
                let answer = await keyed.submit(item, weight: item.job.bytes)
                guard case .success(.keyLocked) = answer else { return answer }
            }
            return await locked.insert(item, waitingFor: key)
        }
    }
}

/// Inserts batches of jobs.
///
/// The ids are generated by this process, so a batch whose commit was not acknowledged is sent again: either it inserts
/// all jobs, or a conflict shows that the first try was committed, since a batch is one transaction. Plain and full
/// batches violate the primary key (23505); a batch with keys waits for its own earlier locks, and finds its jobs
/// (`deduplicate_jobs`).
///
/// Nothing but a key makes an insertion wait for other transactions. See `LockedKeys`. A subqueue that was retired or
/// removed since its id was cached is registered again. See `CreationLock`.
struct InsertJobs: Sendable {
    /// A job to insert. A class, because a job has a dozen members with references, and each step of a batch would
    /// copy them all.
    final class Item: Sendable {
        let id: UUID
        let subqueue: Int32
        let job: NewJob
        /// nil: its request has no idempotency key.
        let slot: IdempotencySlot?

        init(id: UUID, subqueue: Int32, job: NewJob, slot: IdempotencySlot?) {
            self.id = id
            self.subqueue = subqueue
            self.job = job
            self.slot = slot
        }
    }

    /// The idempotency slot of a job: its position in a request with an idempotency key.
    struct IdempotencySlot: Sendable {
        let request: IdempotentRequest
        /// The id of the request's first job.
        let requestID: UUID
        /// The position, counted from 1.
        let number: Int32
    }

    /// The result for one item.
    enum CreateResult: Sendable {
        case created(UUID, at: WallInstant, traceParent: String?)
        case existing(UUID)
        case otherRequest
        /// Another transaction has locked a key, and has not ended in time (55P03): nothing is done.
        case keyLocked(PostgresError)
    }

    typealias Answer = Result<CreateResult, PostgresError>

    /// Maximum number of jobs in one batch.
    static let rowsMax = 500
    /// Maximum size of the payloads in one batch.
    static let bytesMax = 4 * 1_048_576
    /// Maximum number of batches in flight, if there are as many connections.
    static let inFlightMax = 6
    /// The same of batches with keys.
    static let keyedInFlightMax = 4
    /// How often a batch is sent if its commit is not acknowledged.
    private static let attemptsMax = 3
    /// How often the subqueues of a batch are registered again: more often than a queue can be removed in this time.
    private static let registrationsMax = 20
    /// The queue was removed after each registration. The client may send its request again.
    private static let removedEachTime = PostgresError.deadlineExceeded(outcomeUnknown: false)

    let pool: ConnectionPool
    let subqueues: SubqueueDirectory
    let notifier: ReadyNotifier?

    /// The lock is written to the WAL. So this commits only when the synchronous standbys, if there are any, have
    /// confirmed all that was committed before, the creation too.
    private static let creation = Statement<UUID>(
        "find_creation", "SELECT created_at FROM job WHERE id = $1 FOR KEY SHARE", isIdempotent: true)

    /// How long a job may wait for the batches before it.
    static let waitMax = Duration.seconds(5)
    /// The time after which a batch without an acknowledgement is not sent again.
    private static let effortMax = Duration.seconds(15)
    /// The shortest time for an answer to a batch that is sent again.
    private static let answerMin = Duration.seconds(2)

    /// Inserts a batch. If the server rejects its data, each row is tried alone, so that only the bad row fails.
    func commit(_ items: [Item], lockWait: LockWait) async -> [Answer] {
        switch await insertOnce(items, lockWait: lockWait) {
        case .success(let results):
            return results.map { .success($0) }
        case .failure(let error):
            guard items.count > 1, error.sqlState?.concernsData == true else {
                return Array(repeating: .failure(error), count: items.count)
            }
        }
        var answers: [Answer] = []
        for item in items { answers.append(await insertOnce([item], lockWait: lockWait).map { $0[0] }) }
        return answers
    }

    /// Number of locked parts of a batch after which a part is not halved any more.
    private static let lockedPartsMax = 16

    /// Inserts a batch of jobs with keys. If a key is locked, the batch is halved until the jobs of that key are found.
    /// If many are, jobs in the same part as a locked key are answered as if theirs were locked too, so that a batch
    /// ends soon.
    func commitKeyed(_ items: [Item], lockWait: LockWait) async -> [Answer] {
        var partsLeft = Self.lockedPartsMax
        return await commitKeyed(items, lockWait: lockWait, &partsLeft)
    }

    private func commitKeyed(_ items: [Item], lockWait: LockWait, _ partsLeft: inout Int) async -> [Answer] {
        let answers = await commit(items, lockWait: lockWait)
        var locked: [(index: Int, error: PostgresError)] = []
        for (index, answer) in answers.enumerated() {
            if case .failure(let error) = answer, error.sqlState == .lockNotAvailable { locked.append((index, error)) }
        }
        guard !locked.isEmpty else { return answers }
        let byKey = Dictionary(grouping: locked) { items[$0.index].lockKey }
        var result = answers
        partsLeft -= 1
        if byKey.count == 1 || partsLeft <= 0 {
            for (index, error) in locked { result[index] = .success(.keyLocked(error)) }
            return result
        }
        let keys = Array(byKey.values)
        for half in [keys[..<(keys.count / 2)], keys[(keys.count / 2)...]] {
            let indices = half.joined().map(\.index).sorted()
            let again = await commitKeyed(indices.map { items[$0] }, lockWait: .briefly, &partsLeft)
            for (index, answer) in zip(indices, again) { result[index] = answer }
        }
        return result
    }

    /// Inserts all of `items`, or none. Sent again while the outcome is unknown.
    func insertOnce(_ items: [Item], lockWait: LockWait) async -> Result<[CreateResult], PostgresError> {
        var items = items
        var batch = Self.encode(items)
        var registrationsLeft = Self.registrationsMax
        // The error of an earlier try. Whatever keeps a later one from being sent does not undo the commit of that.
        var unknown: PostgresError?
        var triesLeft = Self.attemptsMax
        let end = MonotonicInstant.now() + Self.effortMax
        while true {
            do throws(PostgresError) {
                let sent = WallInstant.now()
                // A try whose commit was not acknowledged may still hold the keys: it is waited for.
                let timeout = unknown == nil ? nil : max(Self.answerMin, end - .now())
                let rows = try await pool.execute(
                    batch.statement, timeout: timeout, lockWait: unknown == nil ? lockWait : .inTries)
                guard let (inserted, keyed) = try batch.decode(rows) else {
                    guard registrationsLeft > 0 else { return .failure(unknown ?? Self.removedEachTime) }
                    registrationsLeft -= 1
                    items = try await registeredAgain(items)
                    batch = Self.encode(items)
                    continue
                }
                subqueues.clock.learn(serverTime: inserted.createdAt, sentAt: sent)
                if inserted.isAnyoneWaiting { notifier?.notify(items.lazy.map(\.job.queue)) }
                if let keyed { return .success(try keyed.results(count: items.count)) }
                return .success(Self.created(items, at: inserted.createdAt))
            } catch {
                if unknown != nil, error.sqlState == .uniqueViolation { return await creation(of: items) }
                triesLeft -= 1
                guard error.isOutcomeUnknown else {
                    return .failure(error.sqlState?.concernsData == true ? error : unknown ?? error)
                }
                guard triesLeft > 0, end - .now() > Self.answerMin else { return .failure(error) }
                unknown = error
            }
        }
    }

    /// The same jobs, after a subqueue of theirs was retired or removed.
    private func registeredAgain(_ items: [Item]) async throws(PostgresError) -> [Item] {
        subqueues.forget(items.lazy.map(\.subqueue))
        let ids = try await subqueues.ids(for: items.map(\.job), on: pool)
        return zip(items, ids).map { item, id in
            Item(id: item.id, subqueue: id, job: item.job, slot: item.slot)
        }
    }

    private static func created(_ items: [Item], at createdAt: WallInstant) -> [CreateResult] {
        items.map { .created($0.id, at: createdAt, traceParent: $0.job.traceParent) }
    }

    /// The results of a batch that an earlier try has committed.
    private func creation(of items: [Item]) async -> Result<[CreateResult], PostgresError> {
        do throws(PostgresError) {
            let rows = try await pool.execute(Self.creation(items[0].id))
            return .success(Self.created(items, at: try rows.decodeOnly()))
        } catch {
            // The batch is committed, but when is unknown.
            return .failure(.connectionLost(reason: "\(error)", outcomeUnknown: true))
        }
    }
}
