import EventLoop
import TestKit
import Testing

@Suite struct ApiConfigurationTests {
    @Test(arguments: [
        (["API_SECRET_KEY": ""], "API_SECRET_KEY: is not set"),
        (["API_SECRET_KEY": String(repeating: "k", count: 31)], "API_SECRET_KEY: has only 31 characters"),
        (["API_PORT": "http"], "API_PORT: \"http\" is not an integer"),
        (["DATABASE_URL": "mysql://u:canary@h/d"], "DATABASE_URL: "),
        (["TLS_CERT_FILE": "/nowhere/cert.pem", "TLS_KEY_FILE": "/nowhere/key.pem"], "TLS_KEY_FILE: "),
    ])
    func `a wrong environment variable ends the process with its name`(
        settings: [String: String], says: String
    ) async throws {
        try await withServices { services in
            let sound = ["DATABASE_URL": "postgresql://127.0.0.1:1/x", "API_SECRET_KEY": RunningApi.key]
            let api = try await services.start("jobqueue-api", environment: sound.merging(settings) { $1 })
            #expect(try await api.waitForExit() == .code(78))
            #expect(api.lines.contains { $0.contains(says) }, "\(api.lines)")
            #expect(!api.lines.contains { $0.contains("canary") })
        }
    }
}
