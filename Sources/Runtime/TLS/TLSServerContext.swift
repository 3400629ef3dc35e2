import Synchronization

/// What a TLS server needs for its sessions: its certificate and key, and the rules of the protocol.
///
/// TLS 1.2 and 1.3 only; forward secrecy and authenticated encryption only; no renegotiation and no compression;
/// ALPN `http/1.1`. May be used from any thread. A session keeps the pair that it began with.
public final class TLSServerContext: Sendable {
    public let certificateFile: String
    public let keyFile: String

    private struct Current {
        var context: SessionContext
        var warnings: [String]
        /// What was last read, or tried: a pair that failed is not tried again before one of its files changes.
        var versions: Versions
    }

    private struct Versions: Hashable {
        var certificate: FileVersion?
        var key: FileVersion?
    }

    private let current: Mutex<Current>

    /// Reads a PEM certificate (its issuers after it, the root may be left out) and its private key.
    ///
    /// - Throws: the file that cannot be used, and why: it cannot be read, holds nothing of the kind, is encrypted, or
    ///   the key does not belong to the certificate.
    public init(certificateFile: String, keyFile: String) throws(TLSFileError) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        current = Mutex(try TLSServerContext.load(certificateFile: certificateFile, keyFile: keyFile))
    }

    /// What an operator should know of the pair in use, such as that it has expired.
    public var warnings: [String] { current.withLock { $0.warnings } }

    /// Takes the files anew if one of them changed since they were last read or tried; new sessions use the new pair.
    ///
    /// To be called now and then, by one task. Costs two calls of `stat` while nothing changes, and some milliseconds
    /// when something did.
    ///
    /// - Returns: whether a new pair is in use.
    /// - Throws: why the new pair cannot be used, once for each change. The old pair stays in use.
    public func reloadIfChanged() throws(TLSFileError) -> Bool {
        // Seen before the files are read: what changes in between is then a change the next time.
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

    /// A session with a client that has just connected.
    public func makeEngine() throws(TLSError) -> TLSEngine {
        let context = current.withLock { $0.context }
        do {
            return try TLSEngine(context: context, demandedHost: nil) { session in
                SessionCalls.expectClient(session)
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
                file: keyFile, reason: "the key does not belong to the certificate in \(certificateFile)")
        }
        return TLSFileError(file: certificateFile, reason: "cannot be used with \(keyFile) (\(error.cause))")
    }
}
