import EventLoop
import Testing

@testable import Postgres

@Suite struct SettingsTests {
    @Test(arguments: [
        "postgresql://user:s3cret@[host/db", "postgresql://user:s3cret@host:5432/db?sslmodee=require",
        "postgresql://user:s3cret%00@host/db", "mysql://user:s3cret@host/db", "user=me password=s3cret",
        "s3cret", "postgresql://user:s3cret@host/db?sslmode", "postgresql://us er:s3cret@host:x y/db?=",
    ])
    func `a URL that cannot be read is refused without being quoted`(url: String) {
        do throws(DatabaseSettings.InvalidURL) {
            _ = try DatabaseSettings(url: url)
            Issue.record("accepted")
        } catch {
            #expect(!error.description.isEmpty)
            #expect(!error.description.contains("s3cret"))
        }
    }

    private func parameters(
        _ url: String, profile: SessionProfile = .general, credentials: DatabaseCredentials? = nil,
        schema: String = "jobqueue"
    ) throws -> [String: String] {
        var settings = try DatabaseSettings(url: url)
        settings.schema = schema
        let list = settings.parameters(profile: profile, credentials: credentials)
        return Dictionary(list.map { ($0.keyword, $0.value) }, uniquingKeysWith: { first, _ in first + " twice" })
    }

    @Test func `a URL for asyncpg is read as one for libpq`() throws {
        let parameters = try parameters("postgresql+asyncpg://me:pw@db:6432/jobs?tcp_user_timeout=700")
        #expect(parameters["user"] == "me")
        #expect(parameters["password"] == "pw")
        #expect(parameters["host"] == "db")
        #expect(parameters["port"] == "6432")
        #expect(parameters["dbname"] == "jobs")
        #expect(parameters["tcp_user_timeout"] == "700")
    }

    @Test func `the URL may set the time for connecting`() throws {
        #expect(try DatabaseSettings(url: "postgresql://db/x?connect_timeout=2").connectTimeout == .seconds(2))
        #expect(try DatabaseSettings(url: "postgresql://db/x?connect_timeout=0").connectTimeout == .seconds(5))
        #expect(try DatabaseSettings(url: "postgresql://db/x").connectTimeout == .seconds(5))
    }

    @Test func `rotated credentials take the place of those of the URL`() throws {
        let credentials = DatabaseCredentials(user: "v-1", password: "rotated")
        let parameters = try parameters("postgresql://me:pw@db/jobs", credentials: credentials)
        #expect(parameters["user"] == "v-1")
        #expect(parameters["password"] == "rotated")
    }

    @Test func `the settings of the session follow those of the URL, with words kept whole`() throws {
        let url = "postgresql://db/jobs?options=-c%20work_mem%3D8MB"
        let options = try #require(try parameters(url, profile: .hot, schema: #"odd "na\me"#)["options"])
        #expect(options.hasPrefix("-c work_mem=8MB -c search_path="))
        #expect(options.contains(#"-c search_path="odd\ ""na\\me" "#))
        #expect(options.contains("-c plan_cache_mode=force_generic_plan"))
        #expect(options.contains("-c statement_timeout=30000ms"))
    }

    @Test(arguments: [
        ("postgresql://db/x", [HostResolution.Host(name: "db", port: "")]),
        (
            "postgresql://a:1,b:2/x",
            [HostResolution.Host(name: "a", port: "1"), HostResolution.Host(name: "b", port: "2")]
        ),
        ("postgresql:///x?host=/run/pg", []), ("postgresql://db/x?hostaddr=10.0.0.1", []), ("postgresql:///x", []),
    ])
    func `host names are found for looking up`(url: String, hosts: [HostResolution.Host]) throws {
        let settings = try DatabaseSettings(url: url)
        #expect(HostResolution.hosts(in: settings.urlParameters) == hosts)
    }
}
