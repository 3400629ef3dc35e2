import EventLoop
import Glibc
import TestKit
import Testing

@Suite struct ApiTLSTests {
    /// Replaces `cert.pem` and `key.pem` in the directory with a new self-signed pair, the certificate last.
    private func makePair(_ services: Services, in directory: String) async throws {
        let openssl = try await services.start(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(directory)/key.new",
                "-out", "\(directory)/cert.new",
            ])
        #expect(try await openssl.waitForExit() == .code(0), "\(openssl.lines)")
        #expect(rename("\(directory)/key.new", "\(directory)/key.pem") == 0)
        #expect(rename("\(directory)/cert.new", "\(directory)/cert.pem") == 0)
    }

    /// The response of `/health` to `curl`, which trusts only this certificate.
    private func curl(_ services: Services, trusting certificate: String, port: UInt16) async throws -> [String] {
        let curl = try await services.start(
            "curl", ["-sS", "--cacert", certificate, "--max-time", "10", "https://127.0.0.1:\(port)/health"])
        _ = try await curl.waitForExit()
        return curl.lines
    }

    @Test func `it serves HTTPS only, and loads a renewed certificate without a restart`() async throws {
        var template = Array("/tmp/jobqueue-api-tls-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let certificate = "\(directory)/cert.pem"
        defer {
            for name in ["cert.pem", "key.pem", "old.pem"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            try await makePair(services, in: directory)
            // Before the api reads it: a new link changes the file, and would count as a renewal.
            #expect(link(certificate, "\(directory)/old.pem") == 0)
            let api = try await services.startApi(
                database.url, ["TLS_CERT_FILE": certificate, "TLS_KEY_FILE": "\(directory)/key.pem"])
            #expect(api.service.lines.contains { $0.contains(#""tls":true"#) })
            let fine = [#"{"status":"ok"}"#]
            #expect(try await curl(services, trusting: certificate, port: api.port) == fine)

            let plain = try await api.client.connect()
            try await plain.send(api.client.message("GET", "/health"))
            #expect(try await !plain.rest().starts(with: "HTTP/".utf8))

            let position = api.service.lines.count
            try await makePair(services, in: directory)
            try await api.service.waitForLine(containing: "the certificate was renewed", from: position)
            #expect(try await curl(services, trusting: certificate, port: api.port) == fine)
            #expect(try await curl(services, trusting: "\(directory)/old.pem", port: api.port) != fine)
        }
    }

    @Test func `a port in use ends the process with an error that names the address`() async throws {
        try await withApi { api, database in
            try await withServices { services in
                let second = try await services.start(
                    "jobqueue-api",
                    environment: [
                        "DATABASE_URL": database.url, "API_SECRET_KEY": RunningApi.key, "API_HOST": "127.0.0.1",
                        "API_PORT": "\(api.port)",
                    ])
                #expect(try await second.waitForExit() == .code(1))
                let line = try #require(second.lines.first { $0.contains("cannot start") })
                #expect(line.contains("127.0.0.1:\(api.port)"), "\(line)")
            }
        }
    }
}
