internal import Postgres
internal import Synchronization
internal import Telemetry

/// Makes the ids of new jobs: UUIDs of version 7, whose time is PostgreSQL's.
///
/// Ids are made here and not by the database, so that a batch whose commit was not acknowledged can be sent again. Their
/// time decides the day under which the job is stored, so it must not depend on this machine's clock: what PostgreSQL
/// answered last tells how far that is off.
final class JobIdentifiers: Sendable {
    private struct State {
        var generator = UUIDv7Generator()
        var random = SystemRandomNumberGenerator()
        /// What must be added to this machine's clock, in microseconds.
        var offset: Int64 = 0
    }

    private let state = Mutex(State())

    func next() -> UUID {
        let now = WallInstant.now()
        return state.withLock { state in
            let instant = WallInstant(microseconds: now.microseconds + state.offset)
            return state.generator.next(at: instant, using: &state.random)
        }
    }

    /// `serverTime` was PostgreSQL's somewhen between `sentAt` and now, both of this machine's clock.
    func learn(serverTime: WallInstant, sentAt: WallInstant) {
        let middle = (sentAt.microseconds + WallInstant.now().microseconds) / 2
        state.withLock { $0.offset = serverTime.microseconds - middle }
    }
}
