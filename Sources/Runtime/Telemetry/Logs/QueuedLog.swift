import Glibc
import Synchronization
internal import Values

/// A sink that writes lines to a file descriptor, standard output by default.
///
/// The calling thread formats the line and appends it to a bounded buffer; a writer thread writes the buffer. A reader
/// that stops reading therefore never blocks an event loop. While the buffer is full, lines are dropped and counted,
/// and a warning with their number follows when writing continues. If the descriptor fails (EPIPE, a full disk), the
/// lines being written are lost, and the next ones are tried again; the process continues.
public final class QueuedLog: LogSink {
    private let queue: LogQueue

    /// - Parameters:
    ///   - descriptor: the file descriptor; 1 is standard output.
    ///   - bytesMax: size of the buffer in bytes.
    /// - Throws: if the process has no file descriptor or thread left.
    public init(descriptor: Int32 = 1, format: LogFormat, bytesMax: Int = 4 * 1024 * 1024) throws(QueuedLogError) {
        let queue = try LogQueue(descriptor: descriptor, format: format, bytesMax: bytesMax)
        try WriterThread.start { queue.writeUntilClosed() }
        self.queue = queue
    }

    /// The writer thread writes the rest of the buffer and ends.
    deinit {
        queue.close()
    }

    public func accept(_ record: LogRecord) {
        queue.append(record)
    }

    /// Waits until all accepted lines are written, up to `limit`. Blocks; for the end of the process.
    /// - Returns: false if the limit passed first.
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
    /// The console format for a descriptor, coloured if it is a terminal.
    public static func console(for descriptor: Int32 = 1) -> LogFormat {
        .console(coloured: isatty(descriptor) == 1)
    }
}

/// A system call that failed while a log was opened.
public struct QueuedLogError: Error, CustomStringConvertible {
    public let call: String
    public let errno: Int32

    public var description: String {
        "cannot open the log: \(call): \(String(cString: strerror(errno)))"
    }
}

/// The buffer between the logging threads and the writer thread.
private final class LogQueue: Sendable {
    private struct State {
        var pending: [UInt8] = []
        /// An empty array with capacity, returned by the writer, so that a busy log does not allocate.
        var spare: [UInt8] = []
        var dropped = 0
        var isWriting = false
        /// The writer waits for a byte in its pipe.
        var isWaiting = false
        var isClosed = false

        /// Returns whether the writer was waiting and has to be woken.
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

    /// The pipe never contains more than one byte, so this cannot block.
    private func wake() {
        _ = write(wakeWriter, [1], 1)
    }

    /// The body of the writer thread.
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
                // Lines were dropped while the buffer was full, so the warning follows the contents of the buffer.
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

    /// Returns the array for reuse, unless a burst has made it large.
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
            message: "log lines were dropped because the reader of the log is too slow",
            fields: ["dropped": .integer(dropped)])
        format.append(record, to: &line)
        return line
    }
}
