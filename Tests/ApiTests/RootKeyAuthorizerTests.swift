import HTTP
import TLS
import Testing

@testable import Api

@Suite struct RootKeyAuthorizerTests {
    private static let key = "0123456789abcdef0123456789abcdef"
    private let authorizer = RootKeyAuthorizer(rootKey: SHA256.digest(of: Array(key.utf8)))

    private func answer(_ fields: String) throws -> Problem? {
        let head = try request("GET /api/jobs HTTP/1.1\(fields)").head
        do throws(Problem) {
            #expect(try authorizer.authorize(head).name == "root")
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
    func `the key is accepted, whatever the case of the scheme`(scheme: String) throws {
        #expect(try answer("\r\nAuthorization: \(scheme)\(Self.key)") == nil)
        #expect(try answer("\r\nauthorization: \(scheme)\(Self.key)") == nil)
    }

    @Test(arguments: [
        "", "\r\nAuthorization: ", "\r\nAuthorization: Bearer", "\r\nAuthorization: Bearer ",
        "\r\nAuthorization: \(key)", "\r\nAuthorization: Basic \(key)", "\r\nAuthorization: Bearer\(key)",
        "\r\nAuthorization: Bearer \(key.dropLast())", "\r\nAuthorization: Bearer \(key)0",
        "\r\nAuthorization: Bearer \(key.uppercased())", "\r\nAuthorization: Bearer \(key), Bearer \(key)",
        "\r\nAuthorization: Bearer \(key)\r\nAuthorization: Bearer \(key)",
        "\r\nAuthorization: Bearer \(key)\r\nAuthorization: Bearer x", "\r\nX-Api-Key: \(key)",
        "\r\nAuthorization: Bearer \"\(key)\"",
    ])
    func `everything else is refused`(fields: String) throws {
        let problem = try #require(try answer(fields))
        #expect(problem.status == .unauthorized)
        #expect(problem.fields.first?.field == .wwwAuthenticate)
        #expect(problem.fields.first?.value.hasPrefix("Bearer realm=\"jobqueue\"") == true)
        #expect(problem.detail?.contains(Self.key) == false)
    }
}
