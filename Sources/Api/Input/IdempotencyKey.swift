internal import HTTP
internal import Jobs
internal import TLS

/// The field `Idempotency-Key`.
enum IdempotencyKey {
    static let conflict = Problem(
        .conflict,
        "this Idempotency-Key was sent with a different request in the last 24 hours; use a new key for each request")

    /// The request with its key and the digest of its operation and body; nil without a key.
    static func read(_ request: Request, operation: String) throws(Problem) -> IdempotentRequest? {
        let lines = request.fields.count(of: .idempotencyKey)
        guard lines > 0 else { return nil }
        guard lines == 1, let value = request.fields.first(.idempotencyKey), isKey(value) else {
            throw Problem(
                .badRequest,
                "Idempotency-Key must be given once, with 1 to \(JobLimits.keyBytesMax) printable ASCII characters")
        }
        var hash = SHA256()
        hash.update(Array("\(operation)\n".utf8))
        hash.update(request.body)
        return IdempotentRequest(key: String(decoding: value, as: UTF8.self), digest: hash.finalize().bytes)
    }

    private static func isKey(_ value: ArraySlice<UInt8>) -> Bool {
        (1...JobLimits.keyBytesMax).contains(value.count) && value.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
