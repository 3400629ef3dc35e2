import Synchronization

/// Where lines go. `accept` is called from any thread, event loops included, so it must never block on input or output.
public protocol LogSink: Sendable {
    func accept(_ record: LogRecord)
}

/// Keeps what was logged, for a test to look at.
public final class CollectedLog: LogSink {
    private let collected = Mutex<[LogRecord]>([])

    public init() {}

    public func accept(_ record: LogRecord) {
        collected.withLock { $0.append(record) }
    }

    public var records: [LogRecord] {
        collected.withLock { $0 }
    }

    /// Each record as it would stand on standard output, without the newline at its end.
    public func lines(_ format: LogFormat = .json) -> [String] {
        records.map { record in
            var bytes: [UInt8] = []
            format.append(record, to: &bytes)
            return String(decoding: bytes.dropLast(), as: UTF8.self)
        }
    }
}
