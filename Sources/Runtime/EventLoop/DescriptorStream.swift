internal import Glibc
internal import Values

/// A stream over one nonblocking descriptor, used by sockets and pipe ends.
///
/// The descriptor is watched edge-triggered: `readable` and `writable` stay true until a call would block, and only
/// then does the task wait for the loop. A read that returns less than requested means that the kernel's buffer is
/// empty, so the next read waits without trying, unless the peer has closed: then the stream ends with a read of 0
/// bytes.
final class DescriptorStream: @unchecked Sendable {
    let loop: Loop
    private(set) var descriptor: Int32
    private var watch: Watch?
    private var readable = true
    private var writable = true
    private var peerClosed = false
    private let reading: Waiter
    private let writing: Waiter

    var isClosed: Bool { descriptor < 0 }

    /// Takes ownership of the descriptor, even if it throws.
    init(_ descriptor: Int32, on loop: Loop) throws(SystemError) {
        loop.preconditionCurrent()
        self.loop = loop
        self.descriptor = descriptor
        reading = Waiter(loop: loop)
        writing = Waiter(loop: loop)
        do throws(SystemError) {
            try Syscall.setNonblocking(descriptor)
            watch = try loop.watchEdges(descriptor) { [unowned self] readiness in becameReady(readiness) }
        } catch {
            Syscall.close(descriptor)
            self.descriptor = -1
            throw error
        }
    }

    deinit {
        // Dropped without `close`. The last reference may have been released on another thread.
        guard descriptor >= 0 else { return }
        let descriptor = descriptor
        guard let watch else { return Syscall.close(descriptor) }
        if loop.isCurrent {
            watch.cancel()
            Syscall.close(descriptor)
        } else {
            let abandoned = Abandoned(watch: watch, descriptor: descriptor)
            loop.execute { abandoned.release() }
        }
    }

    private struct Abandoned: @unchecked Sendable {
        let watch: Watch
        let descriptor: Int32

        func release() {
            watch.cancel()
            Syscall.close(descriptor)
        }
    }

    private func becameReady(_ readiness: Readiness) {
        if readiness.contains(.closed) { peerClosed = true }
        if !readiness.isDisjoint(with: [.readable, .closed]) {
            readable = true
            reading.wake(.ready)
        }
        if !readiness.isDisjoint(with: [.writable, .closed]) {
            writable = true
            writing.wake(.ready)
        }
    }

    func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int {
        let wanted = min(atMost, loop.scratch.count)
        while true {
            guard descriptor >= 0 else { throw .closed }
            reading.clearPending()
            if readable {
                let target = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<wanted])
                switch Syscall.read(descriptor, into: target) {
                case .bytes(let count):
                    if count < wanted, !peerClosed { readable = false }
                    buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: target[..<count]))
                    return count
                case .wouldBlock:
                    readable = false
                case .failed(let number):
                    throw Self.failure("read", number)
                }
            }
            try await reading.wait(until: deadline)
        }
    }

    func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {
        var offset = 0
        while true {
            guard descriptor >= 0 else { throw .closed }
            writing.clearPending()
            while writable, offset < bytes.count {
                let result = bytes.withUnsafeBytes {
                    Syscall.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[offset...]))
                }
                switch result {
                case .bytes(let count): offset += count
                case .wouldBlock: writable = false
                case .failed(let number): throw Self.failure("write", number)
                }
            }
            guard offset < bytes.count else { return }
            try await writing.wait(until: deadline)
        }
    }

    /// Writes without waiting. Returns the number of bytes that the kernel accepted.
    func writeNow(_ bytes: [UInt8]) -> Int {
        guard descriptor >= 0, case .bytes(let count) = bytes.withUnsafeBytes({ Syscall.write(descriptor, $0) })
        else { return 0 }
        return count
    }

    /// Waits until the descriptor is writable, which is when a pending connect has succeeded or failed.
    func waitUntilWritable(deadline: MonotonicInstant?) async throws(StreamError) {
        writable = false
        while !writable {
            guard descriptor >= 0 else { throw .closed }
            try await writing.wait(until: deadline)
        }
    }

    func close() {
        loop.preconditionCurrent()
        guard descriptor >= 0 else { return }
        watch?.cancel()
        watch = nil
        Syscall.close(descriptor)
        descriptor = -1
        reading.wake(.closed)
        writing.wake(.closed)
    }

    private static func failure(_ call: String, _ number: Int32) -> StreamError {
        switch number {
        case ECONNRESET, EPIPE, ETIMEDOUT: .disconnected
        default: .system(SystemError(call, number: number))
        }
    }
}
