internal import HTTP
internal import TLS

/// What a key may do.
enum Scope {
    static let writeJobs = "jobs:write"
    static let readJobs = "jobs:read"
    static let control = "control"
}

/// Admits whoever presents the root key, to everything.
///
/// Digests are compared, in constant time: how long an answer takes tells nothing of the key, nor of its length.
struct RootKeyAuthorizer: Sendable {
    let rootKey: Digest256

    private static let root = Caller(name: "root", scopes: [Scope.writeJobs, Scope.readJobs, Scope.control])

    /// Throws the 401 that tells how to authenticate.
    func authorize(_ head: RequestHead) throws(Problem) -> Caller {
        guard let field = head.fields.first(.authorization) else {
            throw Self.unauthorized("this needs a key: send Authorization: Bearer KEY")
        }
        // Which of two would count, a proxy in between may see differently.
        guard head.fields.count(of: .authorization) == 1 else {
            throw Self.unauthorized("there is more than one Authorization field")
        }
        guard let token = Self.bearerToken(field) else {
            throw Self.unauthorized("the Authorization field is not of the form: Bearer KEY")
        }
        guard SHA256.digest(of: token.span) == rootKey else {
            throw Self.unauthorized("the key is not valid", error: "invalid_token")
        }
        return Self.root
    }

    /// What follows the scheme, which is written in any case, and at least one space (RFC 6750 section 2.1; RFC 9110
    /// section 11.1).
    static func bearerToken(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let scheme = field.prefix(6)
        guard scheme.elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }) else { return nil }
        let rest = field.dropFirst(6)
        let token = rest.drop { $0 == UInt8(ascii: " ") }
        guard token.startIndex > rest.startIndex, !token.isEmpty else { return nil }
        return token
    }

    /// RFC 6750 section 3: the error stands there only if a key was presented.
    private static func unauthorized(_ detail: String, error: String? = nil) -> Problem {
        let challenge = "Bearer realm=\"jobqueue\"" + (error.map { ", error=\"\($0)\"" } ?? "")
        return Problem(.unauthorized, detail).with(.wwwAuthenticate, challenge)
    }
}
