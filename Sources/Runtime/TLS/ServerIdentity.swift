import Glibc

/// A certificate, its chain and its private key, that belong together.
struct ServerIdentity {
    let certificate: Certificate
    /// The issuers that the file gives after the certificate, in order.
    let chain: [Certificate]
    let privateKey: PrivateKey
    /// What an operator should know, though the pair can be used.
    let warnings: [String]

    /// Reads both files, which may be one and the same.
    ///
    /// Whether key and certificate match is found when a context takes them.
    init(certificateFile: PEMFile, keyFile: PEMFile) throws(TLSFileError) {
        let certificates = try Certificate.readAll(from: certificateFile)
        let first = certificates[0]
        certificate = first
        chain = Array(certificates.dropFirst())
        do {
            privateKey = try PrivateKey(pem: keyFile.bytes)
        } catch {
            throw TLSFileError(file: keyFile.path, reason: ServerIdentity.keyProblem(error))
        }
        warnings = ServerIdentity.warnings(about: first, in: certificateFile.path, nowUnixSeconds: time(nil))
    }

    private static func keyProblem(_ error: OpenSSLError) -> String {
        if error.isPassphraseMissing { return "holds a private key with a passphrase; it must have none" }
        return "holds no private key in PEM form that can be read (\(error.cause))"
    }

    private static func warnings(
        about certificate: Certificate, in file: String, nowUnixSeconds now: Int
    ) -> [String] {
        guard let first = certificate.notBeforeUnixSeconds, let last = certificate.notAfterUnixSeconds else {
            return ["\(file): the certificate's dates cannot be read"]
        }
        if now > last { return ["\(file): the certificate expired \(days(now - last)) ago"] }
        if now < first { return ["\(file): the certificate will be valid only in \(days(first - now))"] }
        return []
    }

    private static func days(_ seconds: Int) -> String {
        let days = seconds / 86_400
        return switch days {
        case 0: "less than a day"
        case 1: "1 day"
        default: "\(days) days"
        }
    }
}
