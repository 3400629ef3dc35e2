import Glibc

/// Writes lines to a descriptor that may block, be nonblocking, or fail.
struct LineOutput {
    let descriptor: Int32
    /// A write failed within a line, so that a newline must precede the next line.
    private var isMidLine = false

    /// Maximum number of bytes per write; the default capacity of a pipe.
    private static let chunkBytes = 64 * 1024

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Blocks until the kernel has accepted all lines, or a write fails.
    /// - Returns: the number of lost lines.
    mutating func write(_ lines: [UInt8]) -> Int {
        if isMidLine {
            guard writeChunk([UInt8(ascii: "\n")]) == 1 else { return Self.count(of: lines[...]) }
            isMidLine = false
        }
        var offset = 0
        while offset < lines.count {
            let chunk = Array(lines[offset..<min(offset + Self.chunkBytes, lines.count)])
            guard let written = writeChunk(chunk) else {
                isMidLine = offset > 0 && lines[offset - 1] != UInt8(ascii: "\n")
                return Self.count(of: lines[offset...])
            }
            offset += written
        }
        return 0
    }

    /// The number of bytes written; nil if the descriptor has failed.
    private func writeChunk(_ chunk: [UInt8]) -> Int? {
        while true {
            let written = Glibc.write(descriptor, chunk, chunk.count)
            if written > 0 { return written }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Another process that shares the open file (a terminal, a parent) has made it nonblocking.
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wanted, 1, -1)
            default: return nil
            }
        }
    }

    private static func count(of lines: ArraySlice<UInt8>) -> Int {
        lines.count { $0 == UInt8(ascii: "\n") }
    }
}
