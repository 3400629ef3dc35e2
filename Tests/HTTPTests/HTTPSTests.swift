import EventLoop
import Glibc
import TLS
import Testing

@testable import HTTP

struct HTTPSTests {
    /// A self-signed certificate for localhost, in a directory that is removed with the object.
    private final class Identity: Sendable {
        let directory: String
        var certificate: String { directory + "/certificate.pem" }
        var key: String { directory + "/key.pem" }

        init(on loop: Loop) async throws {
            var template = Array("/tmp/jobqueue-http-test-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let openssl = try #require(
                ProcessSpec.findExecutable("openssl", searchPath: "/usr/local/bin:/usr/bin:/bin"))
            let arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost",
            ]
            let exit = try await onLoop(loop) {
                let child = try ChildProcess(ProcessSpec(executable: openssl, arguments: arguments), on: loop)
                defer { child.closeDescriptors() }
                return await child.waitForExit()
            }
            try #require(exit == .code(0))
        }

        deinit {
            unlink(certificate)
            unlink(key)
            rmdir(directory)
        }
    }

    @Test func `client and server communicate over HTTPS`() async throws {
        let loop = try Loop.start(label: "setup")
        defer { loop.stop() }
        let identity = try await Identity(on: loop)
        let context = try TLSServerContext(certificateFile: identity.certificate, keyFile: identity.key)
        let server = try TestServer(
            upgrade: { try await TLSStream.accept($0, context: context, deadline: $1) }, ServerTests.routes)
        let client = Client(on: server.clientLoop, tls: try TLSClientContext(trust: .file(identity.certificate)))
        let body = Array(("\"" + String(repeating: "x", count: 300_000) + "\"").utf8)
        let port = try #require(server.address.port)
        try await onLoop(server.clientLoop) {
            let origin = Origin(isSecure: true, host: "localhost", port: port, address: server.address)
            for _ in 1...3 {
                let request = ClientRequest(.post, "/echo", contentType: .json, body: body)
                let response = try await client.send(request, to: origin, deadline: .soon)
                #expect(response.status == .created)
                #expect(response.body == body + [UInt8(ascii: "\n")])
            }
            let wrongName = Origin(isSecure: true, host: "example.org", port: port, address: server.address)
            await #expect(throws: ClientError.self) {
                try await client.send(ClientRequest(.get, "/hello"), to: wrongName, deadline: .soon)
            }
            // The first connection is kept; the one with the wrong name failed in its handshake.
            try await eventually { server.server.connectionCount == 1 }
            client.closeIdle()
            try await eventually { server.server.connectionCount == 0 }
        }
        let report = await server.server.drain(deadline: .soon)
        #expect(report.cut == 0)
    }
}
