import Synchronization

/// The settings of TLS server sessions: certificate, key and protocol rules.
///
/// TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only; no renegotiation and no compression; ALPN
/// `http/1.1`. May be used from any thread. A reload does not affect existing sessions.
public final class TLSServerContext: Sendable {
    public let certificateFile: String
    public let keyFile: String

    private struct Current {
        var context: SessionContext
        var warnings: [String]
        /// The versions of the last load, successful or not: a failed pair is not loaded again until a file changes.
        var versions: Versions
    }

    private struct Versions: Hashable {
        var certificate: FileVersion?
        var key: FileVersion?
    }

    private let current: Mutex<Current>

    /// Reads a certificate and its private key in PEM format. The certificate file may contain the issuers after the
    /// certificate; the root is optional.
    ///
    /// - Throws: if a file cannot be read, contains no certificate or key, the key is encrypted, or it does not match
    ///   the certificate.
    public init(certificateFile: String, keyFile: String) throws(TLSFileError) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        current = Mutex(try TLSServerContext.load(certificateFile: certificateFile, keyFile: keyFile))
    }

    /// Warnings for the operator about the current certificate, such as that it has expired.
    public var warnings: [String] { current.withLock { $0.warnings } }

    /// Reloads the files if one of them has changed since the last load. New sessions use the new pair.
    ///
    /// To be called periodically by one task. Costs two `stat` calls if nothing has changed, and some milliseconds
    /// otherwise.
    ///
    /// - Returns: whether a new pair was loaded.
    /// - Throws: if the new pair cannot be used, once for each change. The old pair stays in use.
    public func reloadIfChanged() throws(TLSFileError) -> Bool {
        // Taken before the files are read, so that a change in between is detected by the next call.
        let versions = Versions(certificate: FileVersion(at: certificateFile), key: FileVersion(at: keyFile))
        guard current.withLock({ $0.versions != versions }) else { return false }
        do {
            let new = try TLSServerContext.load(certificateFile: certificateFile, keyFile: keyFile)
            current.withLock { $0 = new }
            return true
        } catch {
            current.withLock { $0.versions = versions }
            throw error
        }
    }

    /// Creates a session with a client.
    public func makeEngine() throws(TLSError) -> TLSEngine {
        let context = current.withLock { $0.context }
        do {
            return try TLSEngine(context: context, expectedHost: nil) { session in
                SessionCalls.setAcceptState(session)
            }
        } catch {
            throw TLSError.handshakeFailed(error.cause)
        }
    }

    private static func load(certificateFile: String, keyFile: String) throws(TLSFileError) -> Current {
        let certificatePEM = try PEMFile(path: certificateFile)
        let keyPEM = try PEMFile(path: keyFile)
        let identity = try ServerIdentity(certificateFile: certificatePEM, keyFile: keyPEM)
        do {
            return Current(
                context: try SessionContext.serving(identity), warnings: identity.warnings,
                versions: Versions(certificate: certificatePEM.version, key: keyPEM.version))
        } catch {
            throw pairProblem(error, certificateFile: certificateFile, keyFile: keyFile)
        }
    }

    private static func pairProblem(
        _ error: OpenSSLError, certificateFile: String, keyFile: String
    ) -> TLSFileError {
        if error.isKeyMismatch {
            return TLSFileError(
                file: keyFile, reason: "the key does not match the certificate in \(certificateFile)")
        }
        return TLSFileError(file: certificateFile, reason: "cannot be used with \(keyFile) (\(error.cause))")
    }
}
