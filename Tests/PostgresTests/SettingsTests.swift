import EventLoop
import Glibc
import Testing

@testable import Postgres

@Suite struct SettingsTests {
    @Test(arguments: [
        "postgresql://user:s3cret@[host/db", "postgresql://user:s3cret@host:5432/db?sslmodee=require",
        "postgresql://user:s3cret%00@host/db", "mysql://user:s3cret@host/db", "user=me password=s3cret",
        "s3cret", "postgresql://user:s3cret@host/db?sslmode", "postgresql://us er:s3cret@host:x y/db?=",
        "postgresql://u:Corr@s3cret@127.0.0.1/db", "postgresql://u:s3cret/x@127.0.0.1/db",
        "postgresql://u:12/s3cret@127.0.0.1/db",
        "postgresql://u:Corr@s3cret!/db", "postgresql://u:x@h:s3cret/db", "postgresql://u:x@h:70000/db?password=s3cret",
        "postgresql://u:x@h/db?s3cret", "postgresql://u:x@h/db?a=s3cret%zz",
    ])
    func `an invalid URL is rejected without being repeated`(url: String) {
        do throws(DatabaseSettings.InvalidURL) {
            _ = try DatabaseSettings(url: url)
            Issue.record("accepted")
        } catch {
            #expect(!error.description.isEmpty)
            #expect(!error.description.contains("s3cret"))
        }
    }

    /// libpq would open it, and wait for a writer.
    @Test(arguments: ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
    func `a named pipe in the place of a certificate is refused at once`(keyword: String) throws {
        let pipe = "/tmp/jobqueue-\(getpid())-\(keyword)"
        try #require(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        do throws(DatabaseSettings.InvalidURL) {
            _ = try DatabaseSettings(url: "postgresql://db/x?\(keyword)=\(pipe)")
            Issue.record("accepted")
        } catch {
            #expect(error.description == "has as \(keyword) a named pipe; a regular file is needed")
        }
    }

    @Test(arguments: [
        "postgresql://u:p%40x@db-1.example_x:5432,10.0.0.1:5433/jobs", "postgresql://u@[fe80::1%25eth0]:5432/jobs",
        "postgresql:///jobs?host=/run/postgresql", "postgresql://u@/jobs?host=%40abstract",
        "postgresql://%2Frun%2Fpostgresql/jobs?user=a@b&password=p@w",
    ])
    func `hosts, addresses and socket directories are accepted`(url: String) throws {
        _ = try DatabaseSettings(url: url)
    }

    private func parameters(
        _ url: String, credentials: DatabaseCredentials? = nil
    ) throws -> [String: String] {
        let list = try DatabaseSettings(url: url).parameters(credentials: credentials)
        return Dictionary(list.map { ($0.keyword, $0.value) }, uniquingKeysWith: { first, _ in first + " twice" })
    }

    @Test func `a URL for asyncpg is accepted as one for libpq`() throws {
        let parameters = try parameters("postgresql+asyncpg://me:pw@db:6432/jobs?tcp_user_timeout=700")
        #expect(parameters["user"] == "me")
        #expect(parameters["password"] == "pw")
        #expect(parameters["host"] == "db")
        #expect(parameters["port"] == "6432")
        #expect(parameters["dbname"] == "jobs")
        #expect(parameters["tcp_user_timeout"] == "700")
    }

    @Test func `the URL may set the connect timeout`() throws {
        #expect(try DatabaseSettings(url: "postgresql://db/x?connect_timeout=2").connectTimeout == .seconds(2))
        #expect(try DatabaseSettings(url: "postgresql://db/x?connect_timeout=0").connectTimeout == .seconds(5))
        #expect(try DatabaseSettings(url: "postgresql://db/x").connectTimeout == .seconds(5))
    }

    @Test func `rotated credentials replace those of the URL`() throws {
        let credentials = DatabaseCredentials(user: "v-1", password: "rotated")
        let parameters = try parameters("postgresql://me:pw@db/jobs", credentials: credentials)
        #expect(parameters["user"] == "v-1")
        #expect(parameters["password"] == "rotated")
    }

    @Test func `the startup packet has no options that poolers reject, unless the URL has them`() throws {
        #expect(try parameters("postgresql://db/jobs")["options"] == nil)
        #expect(try parameters("postgresql://db/jobs?options=-c%20geqo%3Doff")["options"] == "-c geqo=off")
    }

    @Test(arguments: [
        ("postgresql://db/x", [HostResolution.Host(name: "db", port: "")]),
        (
            "postgresql://a:1,b:2/x",
            [HostResolution.Host(name: "a", port: "1"), HostResolution.Host(name: "b", port: "2")]
        ),
        ("postgresql:///x?host=/run/pg", []), ("postgresql://db/x?hostaddr=10.0.0.1", []), ("postgresql:///x", []),
    ])
    func `host names to resolve are found in the URL`(url: String, hosts: [HostResolution.Host]) throws {
        let settings = try DatabaseSettings(url: url)
        #expect(HostResolution.hosts(in: settings.urlParameters) == hosts)
    }
}
