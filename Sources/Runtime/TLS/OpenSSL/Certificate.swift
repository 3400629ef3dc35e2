import COpenSSL
import Glibc

/// An X.509 certificate.
final class Certificate {
    let pointer: OpaquePointer

    /// Takes ownership of a reference.
    private init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        X509_free(pointer)
    }

    /// All certificates of a PEM file in order; one or more. Other blocks are skipped.
    static func readAll(from file: PEMFile) throws(TLSFileError) -> [Certificate] {
        let certificates: [Certificate]
        do {
            certificates = try readAll(pem: file.bytes)
        } catch {
            throw TLSFileError(file: file.path, reason: "contains a malformed certificate (\(error.cause))")
        }
        guard !certificates.isEmpty else {
            throw TLSFileError(file: file.path, reason: "contains no certificate in PEM format")
        }
        return certificates
    }

    private static func readAll(pem: [UInt8]) throws(OpenSSLError) -> [Certificate] {
        let text = try PEMText(pem)
        var certificates: [Certificate] = []
        while let pointer = PEM_read_bio_X509(text.bio, nil, refusePassphrase, nil) {
            certificates.append(Certificate(owning: pointer))
        }
        let error = OpenSSLError.takeQueue(after: "PEM_read_bio_X509")
        // OpenSSL reports the end of the text with the same error as a text without any block.
        guard error.isNoPEMBlock else { throw error }
        return certificates
    }

    /// Start of the validity period, in seconds since 1970; nil if it cannot be parsed.
    var notBeforeUnixSeconds: Int? { Certificate.unixSeconds(X509_get0_notBefore(pointer)) }

    /// End of the validity period, in seconds since 1970; nil if it cannot be parsed.
    var notAfterUnixSeconds: Int? { Certificate.unixSeconds(X509_get0_notAfter(pointer)) }

    private static func unixSeconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int? {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return timegm(&parts)
    }
}

/// A private key.
final class PrivateKey {
    let pointer: OpaquePointer

    /// Reads the first private key of a PEM text, in any unencrypted format that OpenSSL supports.
    init(pem: [UInt8]) throws(OpenSSLError) {
        let text = try PEMText(pem)
        guard let pointer = PEM_read_bio_PrivateKey(text.bio, nil, refusePassphrase, nil) else {
            throw OpenSSLError.takeQueue(after: "PEM_read_bio_PrivateKey")
        }
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }
}

/// A copy of a PEM text as a BIO, from which OpenSSL reads block by block.
private final class PEMText {
    let bio: OpaquePointer

    init(_ bytes: [UInt8]) throws(OpenSSLError) {
        guard let bio = BIO_new(BIO_s_mem()) else { throw OpenSSLError.takeQueue(after: "BIO_new") }
        self.bio = bio
        guard bytes.isEmpty || BIO_write(bio, bytes, Int32(bytes.count)) == bytes.count else {
            throw OpenSSLError.takeQueue(after: "BIO_write")
        }
    }

    deinit {
        BIO_free(bio)
    }
}

/// Rejects encrypted keys. Without it, OpenSSL would prompt for the passphrase on the terminal.
private let refusePassphrase:
    @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
        _, _, _, _ in -1
    }
