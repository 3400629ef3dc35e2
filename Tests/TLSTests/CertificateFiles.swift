import EventLoop
import Glibc
import TLS
import Testing

/// A temporary directory with an authority and certificates created by the `openssl` program. Removed with the object.
final class CertificateFiles: Sendable {
    let directory: String
    private let openssl: String

    var authority: String { path("authority.pem") }

    init() async throws {
        var template = Array("/tmp/jobqueue-tls-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        openssl = try #require(ProcessSpec.findExecutable("openssl", searchPath: "/usr/local/bin:/usr/bin:/bin"))
        try await run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("authority.key"), "-out", authority, "-days", "2", "-subj", "/CN=test authority")
    }

    deinit {
        guard let entries = opendir(directory) else { return }
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(directory)/\(name)")
        }
        closedir(entries)
        rmdir(directory)
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Creates a certificate signed by the authority.
    func makePair(
        _ name: String, names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2
    ) async throws -> (certificate: String, key: String) {
        try await run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("\(name).key"), "-out", path("\(name).csr"), "-subj", "/CN=localhost")
        try write("subjectAltName=\(names)\nbasicConstraints=CA:FALSE\n", to: "\(name).ext")
        try await run(
            "x509", "-req", "-in", path("\(name).csr"), "-CA", authority, "-CAkey", path("authority.key"),
            "-days", "\(days)", "-extfile", path("\(name).ext"), "-out", path("\(name).pem"))
        return (path("\(name).pem"), path("\(name).key"))
    }

    /// Creates a self-signed certificate.
    func makeSelfSignedPair(_ name: String) async throws -> (certificate: String, key: String) {
        try await run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("\(name).key"), "-out", path("\(name).pem"), "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        return (path("\(name).pem"), path("\(name).key"))
    }

    /// A server context with a certificate signed by the authority.
    func makeServer(
        _ name: String = "server", names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2
    ) async throws -> TLSServerContext {
        let pair = try await makePair(name, names: names, days: days)
        return try TLSServerContext(certificateFile: pair.certificate, keyFile: pair.key)
    }

    /// A client context that trusts the authority.
    func makeClient() throws -> TLSClientContext {
        try TLSClientContext(trust: .file(authority))
    }

    func write(_ text: String, to name: String) throws {
        let descriptor = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    func contents(of file: String) throws -> String {
        let stream = try #require(fopen(file, "r"))
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Runs `openssl` and requires it to succeed.
    func run(_ arguments: String...) async throws {
        let spec = ProcessSpec(executable: openssl, arguments: ["openssl"] + arguments)
        let run = try await onLoop { loop in try await Program(spec, on: loop).finish() }
        try #require(run.exit == .code(0), "openssl \(arguments[0]): \(run.errors)")
    }
}
