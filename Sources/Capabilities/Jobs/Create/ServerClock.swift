internal import Synchronization
internal import Values

/// What time PostgreSQL has: this machine's clock, and how far that was off when PostgreSQL last told. One for all loops.
final class ServerClock: Sendable {
    /// What must be added to this machine's clock, in microseconds.
    private let offset = Atomic<Int64>(0)

    func now() -> WallInstant {
        WallInstant(microseconds: WallInstant.now().microseconds + offset.load(ordering: .relaxed))
    }

    /// `serverTime` was PostgreSQL's somewhen between `sentAt` and now, both of this machine's clock. What is known is
    /// corrected as far as that proves it wrong, so a slow answer does not make it worse.
    func learn(serverTime: WallInstant, sentAt: WallInstant) {
        let least = serverTime.microseconds - WallInstant.now().microseconds
        let most = serverTime.microseconds - sentAt.microseconds
        let known = offset.load(ordering: .relaxed)
        let corrected = max(least, min(known, most))
        if corrected != known { offset.store(corrected, ordering: .relaxed) }
    }
}
