public import Values

/// A byte stream in both directions: a socket, a pipe, or TLS over one. It belongs to one loop; the tasks of that
/// loop use it, at most one reading and one writing at a time.
public protocol ByteStream: AnyObject, Sendable {
    /// Waits for bytes and appends 1 to `atMost` of them to `buffer`. Returns how many; 0 is the end of the stream.
    /// `deadline` nil waits for ever.
    func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int

    /// Returns when the kernel has taken all bytes.
    func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError)

    /// Tells the peer that no more bytes will come; reading goes on.
    func closeWriting()

    /// Idempotent. A read or write that waits throws `.closed`.
    func close()
}
