internal import EventLoop
internal import Synchronization

/// One event loop of the server with what its connections share.
final class ServerLoop: Sendable {
    let loop: Loop
    /// Used by the loop's thread only, so the lock is never contended.
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
