import Glibc
import Synchronization
internal import Values

/// Lines on their way to a file descriptor, standard output by default.
///
/// The caller's thread renders the line and appends it to a bounded buffer; a thread of its own writes. So a reader of
/// the log that has stopped reading never stops an event loop. While the buffer is full, lines are dropped and counted,
/// and one line says how many as soon as it flows again. A descriptor that fails (EPIPE, a full disk) loses the lines
/// that were being written, and is tried again with the next ones; it never ends the process.
public final class QueuedLog: LogSink {
    private let queue: LogQueue

    /// - Parameters:
    ///   - bytesMax: how much may wait unwritten, in bytes.
    /// - Throws: `QueuedLogError` when the process has no file descriptor or thread left.
    public init(descriptor: Int32 = 1, format: LogFormat, bytesMax: Int = 4 * 1024 * 1024) throws(QueuedLogError) {
        let queue = try LogQueue(descriptor: descriptor, format: format, bytesMax: bytesMax)
        try WriterThread.start { queue.writeUntilClosed() }
        self.queue = queue
    }

    /// The thread writes what is left and ends.
    deinit {
        queue.close()
    }

    public func accept(_ record: LogRecord) {
        queue.append(record)
    }

    /// Waits until everything accepted so far is written, at most `limit`; for use on the way out of the process.
    /// - Returns: whether all was written.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        let start = ContinuousClock.now
        while !queue.isDrained {
            guard ContinuousClock.now - start < limit else { return false }
            usleep(1_000)
        }
        return true
    }
}

extension LogFormat {
    /// The console format of a descriptor: in colours where a terminal shows it.
    public static func console(for descriptor: Int32 = 1) -> LogFormat {
        .console(coloured: isatty(descriptor) == 1)
    }
}

/// A call of the system that failed while a log was being opened.
public struct QueuedLogError: Error, CustomStringConvertible {
    public let call: String
    public let errno: Int32

    public var description: String {
        "cannot open the log: \(call): \(String(cString: strerror(errno)))"
    }
}

/// The buffer between the threads that log and the one that writes.
private final class LogQueue: Sendable {
    private struct State {
        var pending: [UInt8] = []
        /// Emptied and taken back by the writer, so that a busy log allocates nothing.
        var spare: [UInt8] = []
        var dropped = 0
        var isWriting = false
        /// The writer sleeps until a byte arrives in its pipe.
        var isWaiting = false
        var isClosed = false

        /// Whether the writer slept, and now has to be woken.
        mutating func stopWaiting() -> Bool {
            defer { isWaiting = false }
            return isWaiting
        }
    }

    private let state = Mutex(State())
    private let descriptor: Int32
    private let format: LogFormat
    private let bytesMax: Int
    private let wakeReader: Int32
    private let wakeWriter: Int32

    init(descriptor: Int32, format: LogFormat, bytesMax: Int) throws(QueuedLogError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw QueuedLogError(call: "pipe", errno: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (wakeReader, wakeWriter) = (ends[0], ends[1])
        self.descriptor = descriptor
        self.format = format
        self.bytesMax = bytesMax
    }

    deinit {
        _ = Glibc.close(wakeReader)
        _ = Glibc.close(wakeWriter)
    }

    var isDrained: Bool {
        state.withLock { $0.pending.isEmpty && !$0.isWriting }
    }

    func append(_ record: LogRecord) {
        var line: [UInt8] = []
        line.reserveCapacity(512)
        format.append(record, to: &line)
        let mustWake = state.withLock { state in
            guard state.pending.count + line.count <= bytesMax else {
                state.dropped += 1
                return false
            }
            state.pending.append(contentsOf: line)
            return state.stopWaiting()
        }
        if mustWake { wake() }
    }

    func close() {
        let mustWake = state.withLock { state in
            state.isClosed = true
            return state.stopWaiting()
        }
        if mustWake { wake() }
    }

    /// At most one byte is ever in the pipe, so this cannot block.
    private func wake() {
        _ = write(wakeWriter, [1], 1)
    }

    /// The life of the writer thread.
    func writeUntilClosed() {
        var output = LineOutput(descriptor: descriptor)
        while true {
            switch takeBatch() {
            case .wait:
                var byte: [UInt8] = [0]
                _ = read(wakeReader, &byte, 1)
            case .end:
                return
            case .write(let lines, let dropped):
                let lost = output.write(lines)
                release(lines)
                // Lines were dropped because the buffer was full, so they come after what it held.
                let unreported = dropped > 0 ? output.write(notice(of: dropped)) : 0
                state.withLock { state in
                    state.dropped += lost + (unreported > 0 ? dropped : 0)
                    state.isWriting = false
                }
            }
        }
    }

    private enum Batch {
        case wait
        case end
        case write([UInt8], dropped: Int)
    }

    private func takeBatch() -> Batch {
        state.withLock { state in
            guard !state.pending.isEmpty else {
                state.isWaiting = !state.isClosed
                return state.isClosed ? .end : .wait
            }
            let batch = Batch.write(state.pending, dropped: state.dropped)
            state.pending = state.spare
            state.spare = []
            state.dropped = 0
            state.isWriting = true
            return batch
        }
    }

    /// What a burst has made large is not kept.
    private func release(_ lines: consuming [UInt8]) {
        guard lines.capacity <= 256 * 1024 else { return }
        lines.removeAll(keepingCapacity: true)
        let empty = lines
        state.withLock { $0.spare = empty }
    }

    private func notice(of dropped: Int) -> [UInt8] {
        var line: [UInt8] = []
        let record = LogRecord(
            instant: .now(), level: .warning, component: "log",
            message: "log lines were dropped because whoever reads the log did not keep up",
            fields: ["dropped": .integer(dropped)])
        format.append(record, to: &line)
        return line
    }
}
