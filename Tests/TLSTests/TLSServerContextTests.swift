import Glibc
import TLS
import Testing

@Suite struct TLSServerContextTests {
    private func problem(certificate: String, key: String) -> String {
        do throws(TLSFileError) {
            _ = try TLSServerContext(certificateFile: certificate, keyFile: key)
            return "none"
        } catch {
            return error.description
        }
    }

    @Test func `an unusable pair is reported with the file and the reason`() async throws {
        let files = try await CertificateFiles()
        let (certificate, key) = try await files.makePair("one")
        let other = try await files.makePair("other")
        let missing = files.path("missing.pem")
        #expect(problem(certificate: missing, key: key) == "\(missing): No such file or directory")
        #expect(problem(certificate: certificate, key: missing) == "\(missing): No such file or directory")
        #expect(
            problem(certificate: files.directory, key: key)
                == "\(files.directory): is a directory; a regular file is needed")
        #expect(problem(certificate: key, key: key) == "\(key): contains no certificate in PEM format")
        #expect(
            problem(certificate: certificate, key: certificate)
                .hasPrefix("\(certificate): contains no readable private key in PEM format ("))
        #expect(
            problem(certificate: certificate, key: other.key)
                == "\(other.key): the key does not match the certificate in \(certificate)")
    }

    @Test func `malformed, empty and oversized files are rejected`() async throws {
        let files = try await CertificateFiles()
        let (certificate, key) = try await files.makePair("one")
        let damaged = files.path("damaged.pem")
        let text = try files.contents(of: certificate)
        try files.write(String(text.prefix(text.count / 2)), to: "damaged.pem")
        #expect(problem(certificate: damaged, key: key).hasPrefix("\(damaged): contains a malformed certificate ("))
        let keyText = try files.contents(of: key)
        try files.write(String(keyText.prefix(keyText.count / 2)), to: "damaged.pem")
        #expect(
            problem(certificate: certificate, key: damaged)
                .hasPrefix("\(damaged): contains no readable private key in PEM format ("))
        try files.write("", to: "damaged.pem")
        #expect(problem(certificate: damaged, key: key) == "\(damaged): contains no certificate in PEM format")
        try files.write(String(repeating: "x", count: (1 << 20) + 1), to: "damaged.pem")
        #expect(problem(certificate: damaged, key: key) == "\(damaged): is larger than 1048576 bytes")
    }

    @Test func `a key with a passphrase is rejected without a prompt`() async throws {
        let files = try await CertificateFiles()
        let (certificate, key) = try await files.makePair("one")
        let locked = files.path("locked.key")
        try await files.run("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked)
        #expect(
            problem(certificate: certificate, key: locked)
                == "\(locked): contains a private key with a passphrase; it must not be encrypted")
    }

    @Test func `certificate, chain and key may be in one file`() async throws {
        let files = try await CertificateFiles()
        let (certificate, key) = try await files.makePair("one")
        let parts = try [certificate, files.authority, key].map { try files.contents(of: $0) }
        try files.write(parts.joined(), to: "all.pem")
        let all = files.path("all.pem")
        let server = try TLSServerContext(certificateFile: all, keyFile: all)
        #expect(server.warnings.isEmpty)
    }

    @Test func `a certificate outside its dates is used, with a warning`() async throws {
        let files = try await CertificateFiles()
        let server = try await files.makeServer("expired", days: -1)
        #expect(server.warnings == ["\(files.path("expired.pem")): the certificate expired 1 day ago"])
    }

    @Test func `a changed pair is loaded once, and an unusable one is reported once and keeps the old pair`()
        async throws
    {
        let files = try await CertificateFiles()
        let server = try await files.makeServer("server")
        let first = try files.contents(of: files.path("server.key"))
        #expect(try !server.reloadIfChanged())

        _ = try await files.makePair("server", days: -1)
        #expect(try server.reloadIfChanged())
        #expect(try !server.reloadIfChanged())
        #expect(server.warnings.count == 1)

        try files.write(first, to: "server.key")
        #expect(throws: TLSFileError.self) { _ = try server.reloadIfChanged() }
        #expect(try !server.reloadIfChanged())
        #expect(server.warnings.count == 1, "the old pair's")

        unlink(files.path("server.pem"))
        #expect(throws: TLSFileError.self) { _ = try server.reloadIfChanged() }
        #expect(try !server.reloadIfChanged())

        _ = try await files.makePair("server")
        #expect(try server.reloadIfChanged())
        #expect(server.warnings.isEmpty)
    }

    @Test func `a pair behind a swapped symbolic link is loaded`() async throws {
        let files = try await CertificateFiles()
        for name in ["old", "new"] { _ = try await files.makePair(name) }
        try #require(symlink("old.pem", files.path("tls.crt")) == 0 && symlink("old.key", files.path("tls.key")) == 0)
        let server = try TLSServerContext(certificateFile: files.path("tls.crt"), keyFile: files.path("tls.key"))
        #expect(try !server.reloadIfChanged())
        for (target, link) in [("new.pem", "tls.crt"), ("new.key", "tls.key")] {
            try #require(symlink(target, files.path("next")) == 0)
            try #require(rename(files.path("next"), files.path(link)) == 0)
        }
        #expect(try server.reloadIfChanged())
    }

    @Test func `an unusable trust file is reported with its path and the reason`() async throws {
        let files = try await CertificateFiles()
        try files.write("nothing", to: "empty.pem")
        for (file, reason) in [
            (files.path("missing.pem"), "No such file or directory"),
            (files.path("empty.pem"), "contains no certificate in PEM format"),
        ] {
            #expect(throws: TLSFileError.self) { _ = try TLSClientContext(trust: .file(file)) }
            do throws(TLSFileError) {
                _ = try TLSClientContext(trust: .file(file))
            } catch {
                #expect(error.description == "\(file): \(reason)")
            }
        }
    }
}
