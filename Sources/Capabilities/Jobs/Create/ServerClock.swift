internal import Synchronization
internal import Values

/// An estimate of PostgreSQL's clock: this machine's clock plus an offset, which PostgreSQL's answers correct. One for
/// all loops.
final class ServerClock: Sendable {
    /// To be added to this machine's clock, in microseconds.
    private let offset = Atomic<Int64>(0)

    func now() -> WallInstant {
        WallInstant(microseconds: WallInstant.now().microseconds + offset.load(ordering: .relaxed))
    }

    /// Corrects the offset. `serverTime` was PostgreSQL's time at an instant between `sentAt` and now, both by this
    /// machine's clock. The offset changes only as far as that proves it wrong, so a slow answer does not make it
    /// worse.
    func learn(serverTime: WallInstant, sentAt: WallInstant) {
        let least = serverTime.microseconds - WallInstant.now().microseconds
        let most = serverTime.microseconds - sentAt.microseconds
        let known = offset.load(ordering: .relaxed)
        let corrected = max(least, min(known, most))
        if corrected != known { offset.store(corrected, ordering: .relaxed) }
    }
}
