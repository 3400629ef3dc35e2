import Glibc

/// A certificate with its chain and its private key.
struct ServerIdentity {
    let certificate: Certificate
    /// The issuers that follow the certificate in its file, in order.
    let chain: [Certificate]
    let privateKey: PrivateKey
    /// Problems for the operator that do not prevent use, such as an expired certificate.
    let warnings: [String]

    /// Reads both files, which may be the same file. A key that does not match the certificate is detected later, by
    /// `SessionContext.serving`.
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
        if error.isPassphraseMissing { return "contains a private key with a passphrase; it must not be encrypted" }
        return "contains no readable private key in PEM format (\(error.cause))"
    }

    private static func warnings(
        about certificate: Certificate, in file: String, nowUnixSeconds now: Int
    ) -> [String] {
        guard let first = certificate.notBeforeUnixSeconds, let last = certificate.notAfterUnixSeconds else {
            return ["\(file): cannot read the validity period of the certificate"]
        }
        if now > last { return ["\(file): the certificate expired \(days(now - last)) ago"] }
        if now < first { return ["\(file): the certificate becomes valid in \(days(first - now))"] }
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
