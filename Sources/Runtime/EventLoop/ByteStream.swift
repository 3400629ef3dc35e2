public import Values

/// A bidirectional byte stream: a socket, a pipe, or TLS over a socket. It belongs to one event loop and is used by the
/// tasks of that loop, by one reader and one writer at a time.
public protocol ByteStream: AnyObject, Sendable {
    /// Waits for input and appends up to `atMost` bytes to `buffer`. Returns their number; 0 at the end of the stream.
    /// - Parameter deadline: nil for no deadline. `.timedOut` is thrown when it passes.
    func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int

    /// Writes all bytes. Returns when the kernel has accepted them.
    func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError)

    /// Closes the sending side, so that the peer reads the end of the stream. The receiving side stays open.
    func closeWriting()

    /// Closes the stream. Idempotent. A waiting read or write throws `.closed`.
    func close()
}
