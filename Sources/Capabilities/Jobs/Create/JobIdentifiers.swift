internal import Synchronization
internal import Values

/// Generates the ids of new jobs: UUIDs of version 7 with PostgreSQL's time.
///
/// Ids are generated here and not by the database, so that a batch whose commit was not acknowledged can be sent again.
/// Their time decides in which partition the job is stored, so it must not depend on this machine's clock.
final class JobIdentifiers: Sendable {
    private struct State {
        var generator = UUIDv7Generator()
        var random = KernelRandom()
    }

    private let clock: ServerClock
    private let state = Mutex(State())

    init(clock: ServerClock) {
        self.clock = clock
    }

    func next() -> UUID {
        let now = clock.now()
        return state.withLock { state in
            state.generator.next(at: now, using: &state.random)
        }
    }
}
