import EventLoop
import TLS
import Testing
import Values

/// The client and the server stream of one session, on one loop.
private struct StreamPair: Sendable {
    let client: TLSStream
    let server: TLSStream

    init(_ clientContext: TLSClientContext, _ serverContext: TLSServerContext, on loop: Loop) async throws {
        let sockets = try await socketPair(on: loop)
        let deadline = MonotonicInstant.now() + .seconds(30)
        async let server = TLSStream.accept(sockets.server, context: serverContext, deadline: deadline)
        client = try await TLSStream.connect(
            over: sockets.client, context: clientContext, host: "localhost", deadline: deadline)
        self.server = try await server
    }

    func close() {
        client.close()
        server.close()
    }
}

/// Calls `body` with an established session on a new loop.
private func withSession(_ body: @escaping @Sendable (StreamPair, Loop) async throws -> Void) async throws {
    let files = try await CertificateFiles()
    let client = try files.makeClient()
    let server = try await files.makeServer()
    try await onLoop { loop in
        let pair = try await StreamPair(client, server, on: loop)
        try await body(pair, loop)
        pair.close()
    }
}

@Suite struct TLSStreamTests {
    @Test func `ten mebibytes pass in both directions at once`() async throws {
        try await withSession { pair, loop in
            let sent = (0..<10 * 1024 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            async let first: Void = pair.client.write(sent, deadline: .now() + .seconds(30))
            async let second: Void = pair.server.write(sent, deadline: .now() + .seconds(30))
            async let atServer = read(sent.count, from: pair.server)
            let atClient = try await read(sent.count, from: pair.client)
            try await first
            try await second
            let areEqual = try await (atClient == sent, atServer == sent)
            #expect(areEqual == (true, true))
        }
    }

    @Test func `each side can close its direction and still read`() async throws {
        try await withSession { pair, loop in
            try await pair.client.write([1, 2, 3], deadline: nil)
            pair.client.closeWriting()
            #expect(try await readAll(pair.server) == [1, 2, 3])
            await #expect(throws: StreamError.closed) { try await pair.client.write([4], deadline: nil) }
            try await pair.server.write([5, 6], deadline: nil)
            pair.server.close()
            pair.server.close()
            #expect(try await readAll(pair.client) == [5, 6])
            await #expect(throws: StreamError.closed) { _ = try await readAll(pair.server) }
        }
    }

    @Test func `closing a stream ends a waiting read`() async throws {
        try await withSession { pair, loop in
            let reader = Task(executorPreference: loop) { try await readAll(pair.server) }
            await Task.yield()
            pair.server.close()
            await #expect(throws: StreamError.closed) { try await reader.value }
        }
    }

    @Test func `closing a stream ends a waiting write`() async throws {
        try await withSession { pair, loop in
            let writer = Task(executorPreference: loop) {
                try await pair.server.write([UInt8](repeating: 0, count: 64 << 20), deadline: nil)
            }
            // The client has received the first byte, so the write is in progress.
            _ = try await read(1, from: pair.client)
            pair.server.close()
            await #expect(throws: StreamError.closed) { try await writer.value }
            await #expect(throws: StreamError.disconnected) { _ = try await readAll(pair.client) }
        }
    }

    @Test func `a write that the peer does not read times out, and later writes fail`() async throws {
        try await withSession { pair, loop in
            let much = [UInt8](repeating: 0, count: 64 << 20)
            for _ in 0..<2 {
                await #expect(throws: StreamError.timedOut) {
                    try await pair.server.write(much, deadline: .now() + .milliseconds(20))
                }
            }
        }
    }

    @Test func `a read times out at its deadline, and the stream stays usable`() async throws {
        try await withSession { pair, loop in
            var bytes: [UInt8] = []
            await #expect(throws: StreamError.timedOut) {
                var none: [UInt8] = []
                _ = try await pair.server.read(into: &none, atMost: 10, deadline: .now() + .milliseconds(5))
            }
            try await pair.client.write([1, 2, 3], deadline: nil)
            #expect(try await pair.server.read(into: &bytes, atMost: 10, deadline: .now() + .seconds(30)) == 3)
        }
    }

    @Test func `a write to a disconnected peer throws disconnected`() async throws {
        try await withSession { pair, loop in
            pair.server.close()
            await #expect(throws: StreamError.disconnected) {
                while true { try await pair.client.write([UInt8](repeating: 0, count: 65_536), deadline: nil) }
            }
        }
    }

    @Test(arguments: [0, 1, 100])
    func `a handshake that takes too long is ended`(byteCount: Int) async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer()
        let hello = try files.makeClient().makeEngine(host: "localhost")
        _ = try hello.handshake()
        let start = Array(hello.takeCiphertext().prefix(byteCount))
        try await onLoop { loop in
            let sockets = try await socketPair(on: loop)
            try await sockets.client.write(start, deadline: nil)
            await #expect(throws: StreamError.timedOut) {
                _ = try await TLSStream.accept(
                    sockets.server, context: server, deadline: .now() + .milliseconds(20))
            }
            // The socket is closed, so the client reads the end of the stream without a ServerHello.
            #expect(try await readAll(sockets.client).isEmpty)
        }
    }

    @Test func `malformed handshake input is answered with an alert and a close`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer()
        try await onLoop { loop in
            let sockets = try await socketPair(on: loop)
            // A handshake record with an unknown message type.
            try await sockets.client.write([22, 3, 1, 0, 4, 99, 0, 0, 0], deadline: nil)
            await #expect(throws: StreamError.failed("TLS handshake failed: unexpected message")) {
                _ = try await TLSStream.accept(sockets.server, context: server, deadline: .now() + .seconds(30))
            }
            let answer = try await readAll(sockets.client)
            // Record type alert, with fatal and unexpected_message (RFC 8446 section 6).
            #expect(answer.first == 21)
            #expect(answer.suffix(2) == [2, 10])
        }
    }

    @Test func `a connection closed without close_notify is a disconnect, not an end of the stream`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer()
        let client = try files.makeClient()
        try await onLoop { loop in
            let sockets = try await socketPair(on: loop)
            let serving = Task(executorPreference: loop) {
                let stream = try await TLSStream.accept(
                    sockets.server, context: server, deadline: .now() + .seconds(30))
                let head = try await read(3, from: stream)
                let failure = await #expect(throws: StreamError.self) { _ = try await readAll(stream) }
                stream.close()
                return (head, failure)
            }
            // A client without close_notify: an engine whose socket is closed.
            let engine = try client.makeEngine(host: "localhost")
            while try engine.handshake() == .needsCiphertext {
                try await sockets.client.write(engine.takeCiphertext(), deadline: nil)
                var ciphertext: [UInt8] = []
                _ = try await sockets.client.read(into: &ciphertext, atMost: 65_536, deadline: .now() + .seconds(30))
                engine.feed(ciphertext)
            }
            try engine.write([1, 2, 3].span)
            try await sockets.client.write(engine.takeCiphertext(), deadline: nil)
            sockets.client.closeWriting()
            let (head, failure) = try await serving.value
            #expect(head == [1, 2, 3])
            #expect(failure == .disconnected)
            sockets.client.close()
        }
    }

    @Test func `new sessions use the reloaded certificate, and old sessions continue`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer("server")
        let client = try files.makeClient()
        try await onLoop { loop in
            let old = try await StreamPair(client, server, on: loop)
            _ = try await files.makePair("server", days: -1)
            _ = try await StreamPair(client, server, on: loop).close()
            #expect(try server.reloadIfChanged())
            await #expect(
                throws: StreamError.failed("the certificate of localhost is not accepted: it has expired")
            ) {
                _ = try await StreamPair(client, server, on: loop)
            }
            try await old.client.write([1], deadline: nil)
            #expect(try await read(1, from: old.server) == [1])
            old.close()
        }
    }
}
