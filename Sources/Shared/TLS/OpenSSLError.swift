import COpenSSL

/// Why an OpenSSL call failed: the call, and what OpenSSL left in its error queue.
public struct OpenSSLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The C function that failed.
    public let call: String
    /// What OpenSSL says of it, oldest cause first; empty when it gave no reason.
    public let reasons: [String]
    /// The packed code of the newest entry of the queue (`ERR_GET_LIB` and `ERR_GET_REASON` take it apart), 0 without one.
    let newestCode: UInt

    public var description: String {
        reasons.isEmpty ? "\(call) failed" : "\(call): \(reasons.joined(separator: "; "))"
    }

    /// Takes (and so empties) this thread's error queue.
    ///
    /// The queue belongs to the thread, not to the object that failed. It must be empty before a call whose result
    /// is read through `SSL_get_error`, so every failing call drains it here.
    static func takeQueue(after call: String) -> OpenSSLError {
        var reasons: [String] = []
        var newestCode: UInt = 0
        while case let code = ERR_get_error(), code != 0 {
            newestCode = code
            reasons.append(reason(of: code))
        }
        return OpenSSLError(call: call, reasons: reasons, newestCode: newestCode)
    }

    private static func reason(of code: UInt) -> String {
        guard let text = ERR_reason_error_string(code) else {
            return "error \(String(code, radix: 16))"
        }
        return String(cString: text)
    }
}
