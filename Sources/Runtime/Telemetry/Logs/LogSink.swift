import Synchronization

/// A destination of log records.
public protocol LogSink: Sendable {
    /// Called on any thread, including event loops, so it must not block on input or output.
    func accept(_ record: LogRecord)
}

/// A sink that collects records for tests.
public final class CollectedLog: LogSink {
    private let collected = Mutex<[LogRecord]>([])

    public init() {}

    public func accept(_ record: LogRecord) {
        collected.withLock { $0.append(record) }
    }

    public var records: [LogRecord] {
        collected.withLock { $0 }
    }

    /// Each record as a line in `format`, without the newline.
    public func lines(_ format: LogFormat = .json) -> [String] {
        records.map { record in
            var bytes: [UInt8] = []
            format.append(record, to: &bytes)
            return String(decoding: bytes.dropLast(), as: UTF8.self)
        }
    }
}
