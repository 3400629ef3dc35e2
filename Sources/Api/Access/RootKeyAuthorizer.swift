internal import HTTP
internal import TLS

/// The permissions of a key.
enum Scope {
    static let writeJobs = "jobs:write"
    static let readJobs = "jobs:read"
    static let control = "control"
}

/// Accepts the root key, for every operation.
///
/// Digests are compared, in constant time, so that the time of a response reveals neither the key nor its length.
struct RootKeyAuthorizer: Sendable {
    let rootKey: Digest256

    private static let root = Caller(name: "root", scopes: [Scope.writeJobs, Scope.readJobs, Scope.control])

    /// Throws 401, which says how to authenticate.
    func authorize(_ head: RequestHead) throws(Problem) -> Caller {
        guard let field = head.fields.first(.authorization) else {
            throw Self.unauthorized("a key is required: send Authorization: Bearer KEY")
        }
        // A proxy may choose the other one of two.
        guard head.fields.count(of: .authorization) == 1 else {
            throw Self.unauthorized("there is more than one Authorization field; send one")
        }
        guard let token = Self.bearerToken(field) else {
            throw Self.unauthorized("the Authorization field must have the form: Bearer KEY")
        }
        guard SHA256.digest(of: token.span) == rootKey else {
            throw Self.unauthorized("the key is not valid", error: "invalid_token")
        }
        return Self.root
    }

    /// The token after the scheme, in any case, and at least one space (RFC 6750 section 2.1, RFC 9110 section 11.1).
    static func bearerToken(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let scheme = field.prefix(6)
        guard scheme.elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }) else { return nil }
        let rest = field.dropFirst(6)
        let token = rest.drop { $0 == UInt8(ascii: " ") }
        guard token.startIndex > rest.startIndex, !token.isEmpty else { return nil }
        return token
    }

    /// The challenge has an error only if a key was sent (RFC 6750 section 3).
    private static func unauthorized(_ detail: String, error: String? = nil) -> Problem {
        let challenge = "Bearer realm=\"jobqueue\"" + (error.map { ", error=\"\($0)\"" } ?? "")
        return Problem(.unauthorized, detail).with(.wwwAuthenticate, challenge)
    }
}
