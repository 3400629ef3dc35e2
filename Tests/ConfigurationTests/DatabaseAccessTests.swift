import Testing

@testable import Configuration

struct DatabaseURLTests {
    @Test(arguments: [
        (
            "postgresql://u:p@h:1/d?sslmode=require", "postgresql://u:p@h:1/d?sslmode=require",
            "postgresql://u:***@h:1/d"
        ),
        ("postgres://h/d", "postgresql://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d", "postgresql://u@h/d"),
        ("PostgreSQL://", "postgresql://", "postgresql://"),
        (
            "postgresql:///d?host=/run/pg&password=canary", "postgresql:///d?host=/run/pg&password=canary",
            "postgresql:///d"
        ),
        ("postgresql://u:p%40w@a,b:2/d", "postgresql://u:p%40w@a,b:2/d", "postgresql://u:***@a,b:2/d"),
    ])
    func `a URL is converted for libpq, and described without its password`(
        text: String, revealed: String, shown: String
    ) throws {
        let url = try DatabaseURL(parsing: text)
        #expect(url.revealed == revealed)
        #expect(url.description == shown)
    }

    @Test(arguments: [
        "postgresql://u:ca@nary@h/d", "postgresql://u:ca/nary@h/d", "postgresql://u:ca?nary@h/d",
        "postgresql://h/d?password=ca@nary", "postgresql://u:canary@h/d", "postgresql://u:@canary@h",
        "postgresql://u:ca/\u{301}nary@h/d", "postgresql://h/d?password=canary",
    ])
    func `no part of a password is shown, in any notation`(text: String) throws {
        let url = try DatabaseURL(parsing: text)
        var dumped = ""
        dump(url, to: &dumped)
        for shown in [url.description, String(reflecting: url), dumped] {
            #expect(!shown.contains("ca") && !shown.contains("nary"))
        }
    }

    @Test(arguments: [
        "mysql://u:canary@h/d", "host=canary", "canary", "postgresql:/canary", "postgresql://canary h/d",
        "postgresql://canary%zz", "postgresql://canary%0", "postgresql://canary%00", "postgresql://canary\n",
    ])
    func `any other text is rejected without being repeated`(text: String) {
        var settings = SettingsReader(environment: ProcessEnvironment(["DATABASE_URL": text]))
        #expect(settings.optionalDatabaseURL("DATABASE_URL", help: "h") == nil)
        #expect(settings.problems.count == 1)
        #expect(!settings.problems[0].description.contains("canary"))
    }
}

struct DatabaseAccessTests {
    private let directory = TemporaryDirectory()

    private func pairs(_ access: DatabaseAccess) -> [String] {
        access.parameters.pairs.map { "\($0.keyword)=\($0.value)" }
    }

    private func access(_ values: [String: String]) -> (access: DatabaseAccess, problems: [String]) {
        var settings = SettingsReader(environment: ProcessEnvironment(values))
        let access = DatabaseAccess(reading: &settings)
        return (access, settings.problems.map(\.description))
    }

    @Test func `a URL alone is sufficient`() {
        var (access, problems) = access(["DATABASE_URL": "postgres://u:canary@h/d"])
        #expect(problems == [])
        #expect(pairs(access) == ["dbname=postgresql://u:canary@h/d"])
        #expect(access.description == "postgresql://u:***@h/d")
        #expect(access.refresh() == .unchanged)
    }

    @Test func `the credentials file overrides the URL`() {
        let file = directory.write("export PGUSER=\"app\"\nexport PGPASSWORD=\"canary\"\nPGHOST=\n", to: "db")
        let (access, problems) = access(["DATABASE_URL": "postgresql://h/d", "DATABASE_CREDENTIALS_FILE": file])
        #expect(problems == [])
        #expect(pairs(access) == ["dbname=postgresql://h/d", "user=app", "password=canary"])
        #expect(access.description == "postgresql://h/d as \"app\"")
        var dumped = ""
        dump(access, to: &dumped)
        #expect(!dumped.contains("canary") && !"\(access.parameters)\(access.parameters.pairs)".contains("canary"))
    }

    @Test func `the credentials file is sufficient without a URL`() {
        let whole = directory.write("PGHOST=h PGPORT=1 PGDATABASE=d PGUSER=u PGPASSWORD=p", to: "db")
        #expect(
            pairs(access(["DATABASE_CREDENTIALS_FILE": whole]).access) == [
                "host=h", "port=1", "dbname=d", "user=u", "password=p",
            ])
        let url = directory.write("export DATABASE_URL='postgres://new/d'", to: "url")
        let both = access(["DATABASE_URL": "postgresql://old/d", "DATABASE_CREDENTIALS_FILE": url])
        #expect(pairs(both.access) == ["dbname=postgresql://new/d"])
    }

    @Test func `a rotation is detected, and an invalid file changes nothing until it is valid`() {
        let file = directory.write("PGUSER=one", to: "db")
        var (access, _) = access(["DATABASE_URL": "postgresql://h/d", "DATABASE_CREDENTIALS_FILE": file])
        #expect(access.refresh() == .unchanged)

        directory.write("PGUSER=two PGPASSWORD=x", to: "db")
        #expect(access.refresh() == .rotated)
        #expect(pairs(access).suffix(2) == ["user=two", "password=x"])
        #expect(access.refresh() == .unchanged)

        directory.write("PGUSER='thr", to: "db")
        let failure = DatabaseAccess.Rotation.failed(
            "\"\(file)\", line 1: opens a single quote that is never closed")
        #expect(access.refresh() == failure)
        #expect(access.refresh() == failure)
        #expect(pairs(access).suffix(2) == ["user=two", "password=x"])

        directory.remove("db")
        #expect(access.refresh() == .failed("\"\(file)\": the file is gone"))
        #expect(access.refresh() == .unchanged)
        directory.write("PGUSER=three", to: "db")
        #expect(access.refresh() == .rotated)
        #expect(pairs(access).last == "user=three")
    }

    @Test func `an address is required, and every error is reported`() {
        #expect(access([:]).problems.map { $0.prefix(24) } == ["DATABASE_URL: is not set"])
        #expect(access(["DATABASE_CREDENTIALS_FILE": "/nonexistent"]).problems.count == 1)
        #expect(access(["DATABASE_URL": "canary"]).problems.count == 1)
        let nothing = directory.write("# nothing\n", to: "nothing")
        #expect(
            access(["DATABASE_CREDENTIALS_FILE": nothing]).problems == [
                "DATABASE_CREDENTIALS_FILE: \"\(nothing)\": has none of PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, "
                    + "DATABASE_URL"
            ])
        let wrong = directory.write("DATABASE_URL=mysql://canary", to: "wrong")
        #expect(
            access(["DATABASE_CREDENTIALS_FILE": wrong]).problems == [
                "DATABASE_CREDENTIALS_FILE: \"\(wrong)\": DATABASE_URL is not the URL of a PostgreSQL database"
            ])
    }
}

struct FileWatchTests {
    private func stamp(_ number: Int64) -> FileStamp {
        FileStamp(modifiedNanoseconds: number, inode: 1, sizeBytes: 1)
    }

    @Test func `each change is reported once`() {
        var watch = FileWatch(path: "/nonexistent/file")
        #expect(watch.change(to: nil) == .unchanged)
        #expect(watch.change(to: stamp(1)) == .changed)
        #expect(watch.change(to: stamp(1)) == .unchanged)
        #expect(watch.change(to: stamp(2)) == .changed)
        #expect(watch.change(to: nil) == .missing)
        #expect(watch.change(to: nil) == .unchanged)
        #expect(watch.change(to: stamp(2)) == .unchanged)
        #expect(watch.change(to: nil) == .missing)
        #expect(watch.change(to: stamp(3)) == .changed)
    }

    @Test func `a file replaced by one of equal size has changed`() {
        let directory = TemporaryDirectory()
        let path = directory.write("one", to: "file")
        var watch = FileWatch(path: path)
        #expect(watch.poll() == .unchanged)
        directory.write("two", to: "file")
        #expect(watch.poll() == .changed)
        #expect(watch.poll() == .unchanged)
    }
}
