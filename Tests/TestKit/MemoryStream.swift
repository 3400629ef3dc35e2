public import EventLoop
import Synchronization
public import Values

/// One end of a byte stream in memory, in place of a socket: bytes written to one end are read from the other. Both
/// ends belong to `TestLoop`.
public final class MemoryStream: ByteStream {
    /// The bytes on their way to one end.
    private final class Direction: Sendable {
        private struct State {
            var bytes: [UInt8] = []
            var isEnded = false
        }

        private let state = Mutex(State())
        let changed = WakeSignal(on: TestLoop.shared)

        /// False once the direction has ended.
        func append(_ bytes: [UInt8]) -> Bool {
            let isOpen = state.withLock { state in
                if !state.isEnded { state.bytes += bytes }
                return !state.isEnded
            }
            changed.wake()
            return isOpen
        }

        func end() {
            state.withLock { $0.isEnded = true }
            changed.wake()
        }

        /// Moves up to `count` bytes; nil if there is nothing yet, 0 at the end.
        func take(_ count: Int, into buffer: inout [UInt8]) -> Int? {
            let taken = state.withLock { state -> [UInt8]? in
                if state.bytes.isEmpty { return state.isEnded ? [] : nil }
                defer { state.bytes.removeFirst(min(count, state.bytes.count)) }
                return Array(state.bytes.prefix(count))
            }
            guard let taken else { return nil }
            buffer += taken
            return taken.count
        }
    }

    private let incoming: Direction
    private let outgoing: Direction
    private let isClosed = Atomic(false)

    private init(_ incoming: Direction, _ outgoing: Direction) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// Two connected ends.
    public static func pair() -> (MemoryStream, MemoryStream) {
        let (first, second) = (Direction(), Direction())
        return (MemoryStream(first, second), MemoryStream(second, first))
    }

    public func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int {
        while true {
            guard !isClosed.load(ordering: .relaxed) else { throw .closed }
            if let count = incoming.take(atMost, into: &buffer) { return count }
            guard await incoming.changed.wait(until: deadline) else { throw .timedOut }
        }
    }

    public func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {
        guard !isClosed.load(ordering: .relaxed) else { throw .closed }
        guard outgoing.append(bytes) else { throw .disconnected }
    }

    public func closeWriting() {
        outgoing.end()
    }

    public func close() {
        isClosed.store(true, ordering: .relaxed)
        outgoing.end()
        incoming.end()
    }
}
