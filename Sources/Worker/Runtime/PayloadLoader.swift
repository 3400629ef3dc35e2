internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry

/// Reads the payloads that leases left out, when their attempts are about to start.
///
/// One statement at a time, for all attempts that wait: as many payloads as there is memory for (`PayloadQueue`). The
/// decisions are those of the worker's `AttemptTracker`; this class performs them. On a failure:
/// - PostgreSQL is unavailable: the statement is tried again. Meanwhile the leases are renewed or, if that fails too,
///   lost.
/// - The attempt is released or cancelled, or its lease is lost: `abandon` wakes its slot.
final class PayloadLoader: Sendable {
    /// Pause between tries while PostgreSQL is unavailable.
    private static let retryPause = Duration.milliseconds(250)

    private typealias Continuation = CheckedContinuation<[UInt8]?, Never>

    private let store: JobStore
    private let loop: Loop
    private let logger: Logger
    private let slots = Mutex<[HeldLease: Continuation]>([:])

    init(store: JobStore, on loop: Loop, logger: Logger) {
        self.store = store
        self.loop = loop
        self.logger = logger
    }

    /// The payload of an attempt; nil: it was abandoned, or its job no longer exists.
    /// - Parameter start: called when the slot waits; reads if nothing is being read.
    func payload(of lease: HeldLease, _ start: () -> Void) async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            slots.withLock { $0[lease] = continuation }
            start()
        }
    }

    /// The attempt must not start: its slot gets no payload. No effect unless it waits for one.
    func abandon(_ lease: HeldLease) {
        give(nil, to: lease)
    }

    private func give(_ payload: [UInt8]?, to lease: HeldLease) {
        slots.withLock { $0.removeValue(forKey: lease) }?.resume(returning: payload)
    }

    /// Performs one statement, and wakes the slots whose payload it returned.
    /// - Parameter loaded: called with the length of each payload before its slot wakes.
    /// - Returns: the first attempt whose payload did not fit, with its length.
    func read(
        _ read: PayloadQueue.Read, loaded: (HeldLease, Int) -> Void
    ) async -> (lease: HeldLease, bytes: Int)? {
        let rows: [ReadPayload]
        do throws(PostgresError) {
            rows = try await store.readPayloads(
                of: read.leases.map(\.id), bytesMax: read.bytesMax, atLeastOne: read.atLeastOne)
        } catch {
            logger.warning(
                "cannot read payloads; retrying", ["count": .integer(read.leases.count), "error": .error(error)])
            try? await loop.sleep(for: Self.retryPause)
            return nil
        }
        var rest: (lease: HeldLease, bytes: Int)?
        var next = rows.makeIterator()
        var row = next.next()
        for lease in read.leases {
            guard let found = row, found.id == lease.id else {
                loaded(lease, 0)
                give(nil, to: lease)
                continue
            }
            row = next.next()
            if let payload = found.bytes {
                loaded(lease, payload.count)
                give(payload, to: lease)
            } else if rest == nil {
                rest = (lease, Int(found.byteCount ?? 0))
            }
        }
        return rest
    }
}
