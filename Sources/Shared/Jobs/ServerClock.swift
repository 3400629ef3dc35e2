internal import Synchronization
internal import Telemetry

/// What time PostgreSQL has: this machine's clock, and how far that was off when PostgreSQL last told. One for all loops.
final class ServerClock: Sendable {
    /// What must be added to this machine's clock, in microseconds.
    private let offset = Atomic<Int64>(0)

    func now() -> WallInstant {
        WallInstant(microseconds: WallInstant.now().microseconds + offset.load(ordering: .relaxed))
    }

    /// `serverTime` was PostgreSQL's somewhen between `sentAt` and now, both of this machine's clock.
    func learn(serverTime: WallInstant, sentAt: WallInstant) {
        let middle = (sentAt.microseconds + WallInstant.now().microseconds) / 2
        offset.store(serverTime.microseconds - middle, ordering: .relaxed)
    }
}
