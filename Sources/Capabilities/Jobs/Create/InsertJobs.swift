public import Postgres
internal import Telemetry
public import Values

/// What became of a job that was asked for.
public enum InsertAnswer: Sendable {
    /// Created by this request, or by an earlier one with the same idempotency key.
    case created(Job)
    /// Its unique key was taken by this job.
    case existing(Job)
    /// The same, of a job that has been removed since. Only a request with an idempotency key meets it: what it is to be
    /// answered with is settled.
    case removed(UUID)
    /// The idempotency key belongs to a request that asked for something else.
    case otherRequest
}

/// The jobs of a bulk request, in its order.
public struct InsertedJobs: Hashable, Sendable {
    public let ids: [UUID]
    /// Whether each was there before: its unique key was taken.
    public let existing: [Bool]
}

extension JobStore {
    /// How often a job is asked for whose unique key was taken by one that has been removed before it could be read.
    private static let insertAttemptsMax = 3

    /// Creates a job, and returns when it is committed. Jobs that the process creates meanwhile share the
    /// transaction.
    ///
    /// Throws an error with `isOutcomeUnknown` when PostgreSQL went away in the middle of the commit and did not come
    /// back in time: the job may exist.
    public func insert(
        _ job: NewJob, as request: IdempotentRequest?
    ) async throws(PostgresError) -> InsertAnswer {
        var subqueue = subqueues.id(for: job)
        if subqueue == nil { subqueue = try await subqueues.ids(for: [job], on: hot).first }
        guard let subqueue else { throw .misuse("a subqueue was registered and not found") }
        for attempt in 1... {
            let id = identifiers.next()
            let place = request.map { InsertJobs.Place(request: $0, requestID: id, number: 1) }
            let item = InsertJobs.Item(id: id, subqueue: subqueue, job: job, place: place)
            switch try await inserts.submit(item, weight: job.bytes).get() {
            case .created(let id, let createdAt, let traceParent):
                var job = job
                job.traceParent = traceParent
                return .created(Job(created: job, id: id, at: createdAt))
            case .existing(let id):
                if let job = try await find(id) { return .existing(job) }
                if request != nil || attempt == Self.insertAttemptsMax { return .removed(id) }
            case .otherRequest:
                return .otherRequest
            }
        }
        throw .misuse("there is no last attempt")
    }

    /// Creates all of `jobs`, or none, in one transaction; those whose unique key is taken are there already. At most
    /// `JobLimits.bulkJobsMax`. nil: the idempotency key belongs to a request that asked for something else.
    public func insertAll(
        _ jobs: [NewJob], as request: IdempotentRequest?
    ) async throws(PostgresError) -> InsertedJobs? {
        let ids = try await subqueues.ids(for: jobs, on: hot)
        var items: [InsertJobs.Item] = []
        items.reserveCapacity(jobs.count)
        for (subqueue, job) in zip(ids, jobs) {
            let id = identifiers.next()
            let place = request.map {
                InsertJobs.Place(request: $0, requestID: items.first?.id ?? id, number: Int32(items.count + 1))
            }
            items.append(InsertJobs.Item(id: id, subqueue: subqueue, job: job, place: place))
        }
        let insert = InsertJobs(pool: hot, clock: subqueues.clock, notifier: notifier)
        var inserted: (ids: [UUID], existing: [Bool]) = ([], [])
        for settlement in try await insert.insertOnce(items).get() {
            switch settlement {
            case .created(let id, _, _):
                inserted.ids.append(id)
                inserted.existing.append(false)
            case .existing(let id):
                inserted.ids.append(id)
                inserted.existing.append(true)
            case .otherRequest:
                return nil
            }
        }
        return InsertedJobs(ids: inserted.ids, existing: inserted.existing)
    }
}

/// Jobs that are created one by one, by any loop of the process, and wait for the statement that they will share.
public struct InsertBatcher: Sendable {
    let group = GroupCommit<InsertJobs.Item, InsertJobs.Answer>(
        itemsMax: InsertJobs.rowsMax, weightMax: InsertJobs.bytesMax, inFlightMax: InsertJobs.inFlightMax)

    public init() {}
}

/// Inserts batches of jobs.
///
/// The ids come from us, so a batch whose commit was not acknowledged is simply sent again: either it inserts all, or
/// what it meets says that it has been done, since a batch is one transaction. Plain and full batches meet the primary
/// key (23505); one with keys waits for its own earlier locks, and finds its jobs (`deduplicate_jobs`).
struct InsertJobs: Sendable {
    struct Item: Sendable {
        let id: UUID
        let subqueue: Int32
        let job: NewJob
        /// nil: its request has no idempotency key.
        let place: Place?
    }

    /// Where a job stands in a request with an idempotency key.
    struct Place: Sendable {
        let request: IdempotentRequest
        /// The id of the request's first job.
        let requestID: UUID
        /// Counted from 1.
        let number: Int32
    }

    /// What became of one item.
    enum CreateResult: Sendable {
        case created(UUID, at: WallInstant, traceParent: String?)
        case existing(UUID)
        case otherRequest
    }

    typealias Answer = Result<CreateResult, PostgresError>

    /// Of one merged statement.
    static let rowsMax = 500
    /// Of the payloads of one merged statement.
    static let bytesMax = 4 * 1_048_576
    /// Merged statements under way at once, if there are as many connections.
    static let inFlightMax = 6
    /// How often a batch is sent whose commit was not acknowledged, or that PostgreSQL gave up in favour of another.
    private static let attemptsMax = 3

    let pool: ConnectionPool
    let clock: ServerClock
    let notifier: ReadyNotifier?

    private static let creation = Statement(
        "find_creation", "SELECT created_at FROM job WHERE id = $1", [.uuid], isIdempotent: true)

    /// Inserts a merged batch. One that the server refuses is tried again row by row, so that a bad row fails alone.
    func commit(_ items: [Item]) async -> [Answer] {
        switch await insertOnce(items) {
        case .success(let results):
            return results.map { .success($0) }
        case .failure(let error):
            guard items.count > 1, error.sqlState?.concernsData == true else {
                return Array(repeating: .failure(error), count: items.count)
            }
        }
        var answers: [Answer] = []
        for item in items { answers.append(await insertOnce([item]).map { $0[0] }) }
        return answers
    }

    /// All of `items`, or none. Sent again while its outcome is unknown.
    func insertOnce(_ items: [Item]) async -> Result<[CreateResult], PostgresError> {
        let (statement, parameters) = Self.encode(items)
        // That of an earlier try. Whatever keeps a later one from being sent does not undo what that has done.
        var unknown: PostgresError?
        var triesLeft = Self.attemptsMax
        while true {
            do throws(PostgresError) {
                let sent = WallInstant.now()
                let row = try await pool.execute(statement, parameters).onlyRow()
                let createdAt = try row.timestamptz(0)
                clock.learn(serverTime: createdAt, sentAt: sent)
                if try row.bool(1) { notifier?.notify(items.lazy.map(\.job.queue)) }
                if statement === Self.keyed { return .success(try Self.results(row, count: items.count)) }
                return .success(Self.created(items, at: createdAt))
            } catch {
                if unknown != nil, error.sqlState == .uniqueViolation { return await creation(of: items) }
                triesLeft -= 1
                if triesLeft > 0, error.sqlState?.isRetryableConflict == true { continue }
                guard error.isOutcomeUnknown else {
                    return .failure(error.sqlState?.concernsData == true ? error : unknown ?? error)
                }
                guard triesLeft > 0 else { return .failure(error) }
                unknown = error
            }
        }
    }

    private static func created(_ items: [Item], at createdAt: WallInstant) -> [CreateResult] {
        items.map { .created($0.id, at: createdAt, traceParent: $0.job.traceParent) }
    }

    /// What became of a batch that an earlier try has committed.
    private func creation(of items: [Item]) async -> Result<[CreateResult], PostgresError> {
        do throws(PostgresError) {
            var parameters = Parameters()
            parameters.append(items[0].id)
            let createdAt = try await pool.execute(Self.creation, parameters).onlyRow().timestamptz(0)
            return .success(Self.created(items, at: createdAt))
        } catch {
            // Nothing but that it exists could be learnt, and that only here.
            return .failure(.connectionLost(reason: "\(error)", outcomeUnknown: true))
        }
    }
}
