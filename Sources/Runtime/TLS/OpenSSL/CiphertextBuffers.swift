import COpenSSL

/// The ciphertext between OpenSSL and the network: a BIO that reads from one array and appends to another.
///
/// OpenSSL's memory BIO never frees its buffers (17 KiB each way after one full record). These arrays are freed when
/// they are empty, so an idle session has no buffers.
final class CiphertextBuffers {
    /// Bytes from the peer. OpenSSL has read those before `incomingOffset`.
    private var incoming: [UInt8] = []
    private var incomingOffset = 0
    /// Bytes of OpenSSL for the peer.
    private var outgoing: [UInt8] = []
    /// The peer has closed its side of the connection: no bytes follow `incoming`.
    private var incomingEnded = false

    var hasIncoming: Bool { incomingOffset < incoming.count }
    var hasOutgoing: Bool { !outgoing.isEmpty }

    func append(_ ciphertext: consuming [UInt8]) {
        if !hasIncoming {
            incoming = ciphertext
        } else {
            incoming.removeFirst(incomingOffset)
            incoming.append(contentsOf: ciphertext)
        }
        incomingOffset = 0
    }

    func end() {
        incomingEnded = true
    }

    func takeOutgoing() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &outgoing)
        return taken
    }

    /// Creates a BIO over these buffers, which must outlive it. The caller owns the BIO.
    func makeBIO() throws(OpenSSLError) -> OpaquePointer {
        guard let bio = BIO_new(CiphertextBuffers.method) else {
            throw OpenSSLError.takeQueue(after: "BIO_new")
        }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    // Immutable after its creation.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ciphertext") else {
            fatalError("\(OpenSSLError.takeQueue(after: "BIO_meth_new"))")
        }
        BIO_meth_set_read(method) { bio, target, count in
            CiphertextBuffers.buffers(of: bio).read(into: target, count, bio)
        }
        BIO_meth_set_write(method) { bio, source, count in
            CiphertextBuffers.buffers(of: bio).write(source, count)
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            CiphertextBuffers.buffers(of: bio).control(command)
        }
        return method
    }()

    private static func buffers(of bio: OpaquePointer?) -> CiphertextBuffers {
        Unmanaged<CiphertextBuffers>.fromOpaque(BIO_get_data(bio)!).takeUnretainedValue()
    }

    private func read(into target: UnsafeMutablePointer<CChar>?, _ count: Int32, _ bio: OpaquePointer?) -> Int32 {
        jq_BIO_clear_retry_flags(bio)
        let taken = min(Int(count), incoming.count - incomingOffset)
        guard let target, taken > 0 else {
            if !incomingEnded { jq_BIO_set_retry_read(bio) }
            return incomingEnded ? 0 : -1
        }
        incoming.withUnsafeBytes { source in
            UnsafeMutableRawPointer(target).copyMemory(
                from: source.baseAddress! + incomingOffset, byteCount: taken)
        }
        incomingOffset += taken
        if !hasIncoming {
            incoming = []
            incomingOffset = 0
        }
        return Int32(taken)
    }

    private func write(_ source: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
        guard let source, count > 0 else { return 0 }
        outgoing.append(contentsOf: UnsafeRawBufferPointer(start: source, count: Int(count)))
        return count
    }

    private func control(_ command: Int32) -> Int {
        switch command {
        case BIO_CTRL_FLUSH: 1
        case BIO_CTRL_EOF: incomingEnded && !hasIncoming ? 1 : 0
        default: 0
        }
    }
}
