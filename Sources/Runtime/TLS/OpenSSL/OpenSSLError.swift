import COpenSSL
import Glibc

/// A failed OpenSSL call, with the contents of OpenSSL's error queue.
struct OpenSSLError: Error, Hashable, CustomStringConvertible {
    /// The C function that failed.
    let call: String
    /// OpenSSL's reasons, the cause first; empty if there are none.
    let reasons: [String]
    /// The packed codes (library and reason) of `reasons`, in the same order.
    private let codes: [UInt]

    var description: String {
        reasons.isEmpty ? "\(call) failed" : "\(call): \(cause)"
    }

    /// The reasons in one line, without the name of the call.
    var cause: String {
        reasons.isEmpty ? "\(call) failed without a reason" : reasons.joined(separator: "; ")
    }

    /// Removes all entries of the error queue. OpenSSL has one queue for each thread.
    static func takeQueue(after call: String) -> OpenSSLError {
        var reasons: [String] = []
        var codes: [UInt] = []
        while case let code = ERR_get_error(), code != 0 {
            let text = reason(of: code)
            guard reasons.last != text else { continue }
            reasons.append(text)
            codes.append(code)
        }
        return OpenSSLError(call: call, reasons: reasons, codes: codes)
    }

    private static func reason(of code: UInt) -> String {
        let number = ERR_GET_REASON(code)
        if ERR_GET_LIB(code) == ERR_LIB_SYS {
            return String(cString: strerror(number))
        }
        guard let text = ERR_reason_error_string(code) else {
            return "error \(number) of library \(ERR_GET_LIB(code))"
        }
        return String(cString: text)
    }
}

extension OpenSSLError {
    /// The peer's certificate was not accepted; `SSL_get_verify_result` has the reason.
    var isCertificateRefused: Bool { contains(SSL_R_CERTIFICATE_VERIFY_FAILED, of: ERR_LIB_SSL) }

    /// The connection ended where the protocol does not allow it.
    var isUnexpectedEnd: Bool { contains(SSL_R_UNEXPECTED_EOF_WHILE_READING, of: ERR_LIB_SSL) }

    /// A text has no further PEM block of the requested kind.
    var isNoPEMBlock: Bool { contains(PEM_R_NO_START_LINE, of: ERR_LIB_PEM) }

    /// A PEM block is encrypted.
    var isPassphraseMissing: Bool {
        contains(PEM_R_BAD_PASSWORD_READ, of: ERR_LIB_PEM) || contains(PEM_R_PROBLEMS_GETTING_PASSWORD, of: ERR_LIB_PEM)
    }

    /// A private key does not match the certificate.
    var isKeyMismatch: Bool {
        contains(X509_R_KEY_VALUES_MISMATCH, of: ERR_LIB_X509) || contains(X509_R_KEY_TYPE_MISMATCH, of: ERR_LIB_X509)
    }

    private func contains(_ reason: Int32, of library: Int32) -> Bool {
        codes.contains { ERR_GET_LIB($0) == library && ERR_GET_REASON($0) == reason }
    }
}
