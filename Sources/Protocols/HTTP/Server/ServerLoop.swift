internal import EventLoop
internal import Synchronization

/// One loop of a server, with what its connections share.
final class ServerLoop: Sendable {
    let loop: Loop
    /// Used on one thread: the lock is never waited for.
    private let date = Mutex(DateLine())

    init(_ loop: Loop) {
        self.loop = loop
    }

    func dateLine() -> DateLine {
        let now = loop.now
        return date.withLock {
            $0.update(now)
            return $0
        }
    }
}
