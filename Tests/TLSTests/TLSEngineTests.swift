import TLS
import Testing

/// A client and a server engine, connected in memory.
private struct EnginePair {
    let client: TLSEngine
    let server: TLSEngine

    /// Moves ciphertext in both directions, in pieces of `pieces` bytes, until neither engine has any. Returns the
    /// number of bytes.
    @discardableResult
    func carry(pieces: Int = .max, between: () throws(TLSError) -> Void = {}) throws(TLSError) -> Int {
        var total = 0
        while client.hasCiphertext || server.hasCiphertext {
            for (from, to) in [(client, server), (server, client)] {
                let bytes = from.takeCiphertext()
                total += bytes.count
                var offset = 0
                while offset < bytes.count {
                    let end = offset + min(pieces, bytes.count - offset)
                    to.feed(Array(bytes[offset..<end]))
                    offset = end
                    try between()
                }
            }
        }
        return total
    }

    /// Performs the handshake.
    func establish(pieces: Int = .max) throws(TLSError) {
        _ = try client.handshake()
        try carry(pieces: pieces) { () throws(TLSError) in
            _ = try client.handshake()
            _ = try server.handshake()
        }
        let progress = (try client.handshake(), try server.handshake())
        guard progress == (.finished, .finished) else { throw .handshakeFailed("unfinished: \(progress)") }
    }
}

@Suite struct TLSEngineTests {
    private func makePair(_ files: CertificateFiles, host: String = "localhost") async throws -> EnginePair {
        EnginePair(
            client: try files.makeClient().makeEngine(host: host),
            server: try await files.makeServer().makeEngine())
    }

    @Test(arguments: [1, 7, Int.max])
    func `a session works in pieces of any size`(pieces: Int) async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files)
        try pair.establish(pieces: pieces)
        #expect(pair.server.protocolVersion == "TLSv1.3")
        #expect(pair.server.applicationProtocol == "http/1.1")
        #expect(pair.client.applicationProtocol == "http/1.1")

        let sent = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var received: [UInt8] = []
        try pair.client.write(sent.span)
        try pair.carry(pieces: pieces) { () throws(TLSError) in
            while case .bytes = try pair.server.read(into: &received, atMost: 1000) {}
        }
        #expect(received == sent)
    }

    @Test func `each direction ends independently`() async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files)
        try pair.establish()
        pair.client.closeWriting()
        pair.client.closeWriting()
        try pair.carry()
        var received: [UInt8] = []
        #expect(try pair.server.read(into: &received, atMost: 10) == .endOfStream)
        try pair.server.write([1, 2, 3].span)
        pair.server.closeWriting()
        try pair.carry()
        #expect(try pair.client.read(into: &received, atMost: 10) == .bytes(3))
        #expect(try pair.client.read(into: &received, atMost: 10) == .endOfStream)
        #expect(received == [1, 2, 3])
    }

    @Test func `an end without close_notify is a truncation, reported after the bytes before it`() async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files)
        try pair.establish()
        try pair.client.write([1, 2, 3].span)
        try pair.client.write([4, 5, 6].span)
        let ciphertext = pair.client.takeCiphertext()
        pair.server.feed(Array(ciphertext.dropLast()))
        pair.server.feedEnd()
        var received: [UInt8] = []
        #expect(try pair.server.read(into: &received, atMost: 10) == .bytes(3))
        for _ in 0..<2 {
            #expect(throws: TLSError.truncated) { _ = try pair.server.read(into: &received, atMost: 10) }
        }
        #expect(received == [1, 2, 3])
    }

    @Test func `a modified record ends the session permanently`() async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files)
        try pair.establish()
        try pair.client.write([1, 2, 3].span)
        var ciphertext = pair.client.takeCiphertext()
        ciphertext[ciphertext.count - 1] ^= 1
        pair.server.feed(ciphertext)
        var received: [UInt8] = []
        var failures: [TLSError] = []
        for _ in 0..<2 {
            do throws(TLSError) {
                _ = try pair.server.read(into: &received, atMost: 10)
            } catch {
                failures.append(error)
            }
        }
        let expected = TLSError.sessionFailed("decryption failed or bad record mac")
        #expect(failures == [expected, expected])
        #expect(received.isEmpty)
        #expect(throws: expected) { try pair.server.write([1].span) }
        #expect(pair.server.hasCiphertext, "the alert")
    }

    @Test(arguments: ["", ".", ".localhost", "local host", "localhost\0.example.test", "[::1]", "ümlaut.test"])
    func `a malformed host name is rejected`(name: String) async throws {
        let files = try await CertificateFiles()
        let client = try files.makeClient()
        #expect(throws: TLSError.invalidHostName(name)) { _ = try client.makeEngine(host: name) }
    }

    @Test(arguments: ["localhost", "LOCALHOST", "localhost.", "127.0.0.1"])
    func `the certificate's names and addresses are accepted`(name: String) async throws {
        let files = try await CertificateFiles()
        try await makePair(files, host: name).establish()
    }

    @Test(arguments: ["other.test", "a.localhost", "127.0.0.2", "::1"])
    func `a certificate for other names is rejected`(name: String) async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files, host: name)
        #expect(throws: TLSError.certificateRefused(host: name, .wrongHost)) { try pair.establish() }
        #expect(pair.client.hasCiphertext, "the alert")
    }

    @Test func `a wildcard matches one whole label`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer(names: "DNS:*.example.test")
        let client = try files.makeClient()
        try EnginePair(client: client.makeEngine(host: "a.example.test"), server: server.makeEngine()).establish()
        for name in ["example.test", "a.b.example.test"] {
            let pair = try EnginePair(client: client.makeEngine(host: name), server: server.makeEngine())
            #expect(throws: TLSError.certificateRefused(host: name, .wrongHost)) { try pair.establish() }
        }
    }

    @Test func `expired, self-signed and unknown certificates are rejected with separate errors`() async throws {
        let files = try await CertificateFiles()
        let strangers = try await CertificateFiles()
        let selfSigned = try await files.makeSelfSignedPair("self")
        let client = try files.makeClient()
        let cases: [(TLSServerContext, CertificateProblem)] = [
            (try await files.makeServer("expired", days: -1), .expired),
            (try TLSServerContext(certificateFile: selfSigned.certificate, keyFile: selfSigned.key), .selfSigned),
            (try await strangers.makeServer(), .unknownAuthority),
        ]
        for (server, problem) in cases {
            let pair = try EnginePair(client: client.makeEngine(host: "localhost"), server: server.makeEngine())
            #expect(throws: TLSError.certificateRefused(host: "localhost", problem)) { try pair.establish() }
        }
        let system = try TLSClientContext(trust: .system)
        let pair = try await EnginePair(
            client: system.makeEngine(host: "localhost"), server: strangers.makeServer("other").makeEngine())
        #expect(throws: TLSError.certificateRefused(host: "localhost", .unknownAuthority)) { try pair.establish() }
    }

    @Test func `input that is not a ClientHello fails, and plain HTTP is named`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer()
        let plain = try server.makeEngine()
        plain.feed(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        #expect(throws: TLSError.handshakeFailed("http request")) { _ = try plain.handshake() }
        for seed in 0..<50 {
            let engine = try server.makeEngine()
            engine.feed((0..<2000).map { UInt8(truncatingIfNeeded: ($0 + seed) &* 2_654_435_761 >> 7) })
            engine.feedEnd()
            #expect(throws: TLSError.self) { _ = try engine.handshake() }
        }
    }

    @Test func `an end of the connection during the handshake is an error`() async throws {
        let files = try await CertificateFiles()
        let pair = try await makePair(files)
        _ = try pair.client.handshake()
        pair.server.feed(Array(pair.client.takeCiphertext().dropLast()))
        #expect(try pair.server.handshake() == .needsCiphertext)
        pair.server.feedEnd()
        #expect(throws: TLSError.handshakeFailed("the peer closed the connection during the handshake")) {
            _ = try pair.server.handshake()
        }
    }
}
