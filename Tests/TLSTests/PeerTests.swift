import EventLoop
import TLS
import Testing
import Values

/// The result of one connection to `serveOnce`.
private enum Served: Hashable, Sendable {
    case session(version: String, suite: String, applicationProtocol: String?)
    case refused(String)
}

/// Accepts exactly one connection, performs the handshake, and calls `body` with the stream.
private func serveOnce(
    _ listener: Listener, _ context: TLSServerContext, on loop: Loop,
    _ body: @escaping @Sendable (TLSStream) async throws -> Void
) -> Task<Served, any Error> {
    Task(executorPreference: loop) {
        let socket = try await listener.accept(on: loop).attach(to: loop)
        listener.close { _ in }
        let stream: TLSStream
        do throws(StreamError) {
            stream = try await TLSStream.accept(socket, context: context, deadline: .now() + .seconds(30))
        } catch {
            return .refused(error.description)
        }
        try await body(stream)
        stream.close()
        return .session(
            version: stream.protocolVersion, suite: stream.cipherSuite,
            applicationProtocol: stream.applicationProtocol)
    }
}

/// Sends received bytes back until the end of the stream.
@Sendable private func echo(_ stream: TLSStream) async throws {
    var bytes: [UInt8] = []
    while try await stream.read(into: &bytes, atMost: 65_536, deadline: .now() + .seconds(30)) > 0 {
        try await stream.write(bytes, deadline: .now() + .seconds(30))
        bytes.removeAll(keepingCapacity: true)
    }
}

/// Sessions with other TLS implementations.
@Suite struct PeerTests {
    /// Connects `openssl s_client`, which trusts the authority, to an echo server.
    private func runClient(
        _ options: [String], _ exchange: @escaping @Sendable (Program) async throws -> Void = { _ in }
    ) async throws -> (served: Result<Served, any Error>, client: Program.Finished) {
        let files = try await CertificateFiles()
        return try await runClient(options, files, try await files.makeServer(), exchange)
    }

    private func runClient(
        _ options: [String], _ files: CertificateFiles, _ context: TLSServerContext,
        _ exchange: @escaping @Sendable (Program) async throws -> Void
    ) async throws -> (served: Result<Served, any Error>, client: Program.Finished) {
        try await onLoop { loop in
            let listener = try Listener(address: .loopback(port: 0))
            let served = serveOnce(listener, context, on: loop, echo)
            let client = try Program(
                "openssl",
                ["s_client", "-connect", "\(listener.address)", "-CAfile", files.authority, "-servername", "localhost"]
                    + options, on: loop)
            try await exchange(client)
            let finished = try await client.finish()
            // Ends the accept if the client never connected.
            listener.close { _ in }
            return (await served.result, finished)
        }
    }

    @Test(arguments: [
        ("-tls1_3", "TLSv1.3", "TLS_AES_256_GCM_SHA384"), ("-tls1_2", "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ])
    func `openssl s_client communicates with the server`(option: String, version: String, suite: String) async throws {
        let (served, client) = try await runClient([option, "-verify_return_error", "-quiet", "-no_ign_eof"]) {
            client in
            try await client.child.standardInput.write(Array("hello\n".utf8), deadline: nil)
            #expect(try await read(6, from: client.child.standardOutput) == Array("hello\n".utf8))
        }
        #expect(try served.get() == .session(version: version, suite: suite, applicationProtocol: nil))
        #expect(client.exit == .code(0))
    }

    @Test(arguments: [
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "unsupported protocol"),
        (["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], "unsupported protocol"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], "no shared cipher"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM"], "no shared cipher"),
        (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "no shared cipher"),
        (["-alpn", "h2"], "no application protocol"),
    ])
    func `old versions, weak suites and unknown protocols are rejected`(options: [String], reason: String) async throws
    {
        let (served, _) = try await runClient(options)
        #expect(try served.get() == .refused("TLS handshake failed: \(reason)"))
    }

    @Test func `openssl s_client cannot renegotiate`() async throws {
        let (served, client) = try await runClient(["-tls1_2"]) { client in
            try await client.child.standardInput.write(Array("R\n".utf8), deadline: nil)
        }
        #expect(client.errors.contains("no renegotiation"))
        #expect(throws: StreamError.failed("TLS session failed: sslv3 alert handshake failure")) { try served.get() }
    }

    @Test func `the server answers a KeyUpdate and the session continues`() async throws {
        let (served, client) = try await runClient(["-tls1_3"]) { client in
            let input = client.child.standardInput
            try await input.write(Array("K\n".utf8), deadline: nil)
            try await Self.wait(for: "KEYUPDATE\n", on: client.child.standardError)
            try await input.write(Array("hello\n".utf8), deadline: nil)
            try await Self.wait(for: "hello\n", on: client.child.standardOutput)
        }
        #expect(
            try served.get()
                == .session(version: "TLSv1.3", suite: "TLS_AES_256_GCM_SHA384", applicationProtocol: nil))
        #expect(client.exit == .code(0))
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a session is resumed by its ticket`(option: String) async throws {
        let files = try await CertificateFiles()
        let context = try await files.makeServer()
        let ticket = files.path("ticket")
        for (options, status) in [(["-sess_out", ticket], "New, TLSv1."), (["-sess_in", ticket], "Reused, TLSv1.")] {
            let (_, client) = try await runClient([option] + options, files, context) { client in
                try await client.child.standardInput.write(Array("hello\n".utf8), deadline: nil)
                let output = try await Self.wait(for: "hello\n", on: client.child.standardOutput)
                #expect(output.contains(status))
            }
            #expect(client.exit == .code(0))
        }
    }

    @Test(arguments: ["1.2", "1.3"])
    func `curl sends and receives a large body`(version: String) async throws {
        let files = try await CertificateFiles()
        let context = try await files.makeServer()
        let body = String(repeating: "0123456789abcdef", count: 1 << 16)
        try files.write(body, to: "body")
        try await onLoop { loop in
            let listener = try Listener(address: .loopback(port: 0))
            let served = serveOnce(listener, context, on: loop) { stream in
                var request: [UInt8] = []
                while !request.ends(with: "\r\n\r\n") {
                    _ = try await stream.read(into: &request, atMost: 1, deadline: .now() + .seconds(30))
                }
                let received = try await read(body.utf8.count, from: stream)
                let head = "HTTP/1.1 200 OK\r\nContent-Length: \(received.count)\r\nConnection: close\r\n\r\n"
                try await stream.write(Array(head.utf8) + received, deadline: .now() + .seconds(30))
            }
            let port = try #require(listener.address.port)
            let curl = try Program(
                "curl",
                [
                    "--silent", "--show-error", "--cacert", files.authority, "--tls-max", version, "--noproxy", "*",
                    "--resolve", "localhost:\(port):127.0.0.1", "--header", "Expect:", "--http2",
                    "--data-binary", "@\(files.path("body"))", "https://localhost:\(port)/",
                ], on: loop)
            let finished = try await curl.finish()
            #expect(finished.exit == .code(0), "\(finished.errors)")
            let isEqual = finished.output == body
            #expect(isEqual)
            guard case .session("TLSv\(version)", _, let applicationProtocol) = try await served.value else {
                Issue.record("no session")
                return
            }
            #expect(applicationProtocol == "http/1.1")
        }
    }

    @Test func `the client communicates with openssl s_server and rejects TLS 1 point 1`() async throws {
        let files = try await CertificateFiles()
        let (certificate, key) = try await files.makePair("server")
        let context = try files.makeClient()
        for (options, expected) in [
            (["-tls1_3"], "TLSv1.3"), (["-tls1_2"], "TLSv1.2"),
            (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "TLS handshake failed: tlsv1 alert protocol version"),
            (
                ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
                "TLS handshake failed: sslv3 alert handshake failure"
            ),
        ] {
            try await onLoop { loop in
                let server = try Program(
                    "openssl",
                    ["s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-naccept", "1", "-rev"]
                        + options, on: loop)
                let port = try await Self.announcedPort(of: server)
                async let finished = server.finish()
                let socket = try await Socket.connect(to: .loopback(port: port), on: loop, deadline: nil)
                do throws(StreamError) {
                    let stream = try await TLSStream.connect(
                        over: socket, context: context, host: "localhost", deadline: .now() + .seconds(30))
                    #expect(stream.protocolVersion == expected)
                    try await stream.write(Array("stressed\n".utf8), deadline: nil)
                    #expect((try? await read(9, from: stream)) == Array("desserts\n".utf8))
                    stream.close()
                } catch {
                    #expect(error.description == expected)
                }
                _ = try await finished
            }
        }
    }

    /// Reads until the output ends with `text`. Returns the whole output.
    @discardableResult
    private static func wait(for text: String, on stream: any ByteStream) async throws -> String {
        var bytes: [UInt8] = []
        while !bytes.ends(with: text) {
            let count = try await stream.read(into: &bytes, atMost: 4096, deadline: .now() + .seconds(30))
            try #require(count > 0, "ended before \(text)")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The port of `s_server`, which prints `ACCEPT 127.0.0.1:40123` when it listens.
    private static func announcedPort(of server: Program) async throws -> UInt16 {
        var output: [UInt8] = []
        while true {
            let count = try await server.child.standardOutput.read(
                into: &output, atMost: 4096, deadline: .now() + .seconds(30))
            try #require(count > 0)
            let lines = String(decoding: output, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            for line in lines.dropLast() where line.hasPrefix("ACCEPT ") {
                return try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
            }
        }
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool {
        suffix(text.utf8.count).elementsEqual(text.utf8)
    }
}
