import Configuration
import Glibc
import TLS
import Testing

@testable import Api

@Suite struct SettingsTests {
    private static let key = "0123456789abcdef0123456789abcdef"
    private static let sound = ["DATABASE_URL": "postgresql://db/jobs", "API_SECRET_KEY": key]

    private func start(_ arguments: [String] = [], _ changes: [String: String] = [:]) -> Startup<ApiSettings> {
        Startup.decide(
            arguments: arguments,
            environment: ProcessEnvironment(Self.sound.merging(changes) { $1 }.filter { $0.value != "-" }),
            grammar: ApiCommandLine.grammar, version: "1", prefixes: ApiCommandLine.prefixes,
            read: { settings, command in ApiSettings(reading: &settings, command: command) })
    }

    private func serving(_ changes: [String: String] = [:]) throws -> ServingSettings {
        guard case .run(let settings, nil, let warnings) = start([], changes) else {
            throw Failure("refused: \(start([], changes))")
        }
        #expect(warnings.isEmpty)
        return settings.serving
    }

    @Test func `only the digest of the key is kept`() throws {
        let settings = try serving()
        #expect(settings.rootKey == SHA256.digest(of: Array(Self.key.utf8)))
        var shown = ""
        dump(settings, to: &shown)
        #expect(!shown.contains(Self.key))
    }

    @Test func `connections are distributed evenly, at least three for each thread`() throws {
        #expect(try serving(["API_THREADS": "3", "DATABASE_POOL_SIZE": "11"]).connectionsPerLoop == [4, 4, 3])
        #expect(try serving(["API_THREADS": "1", "DATABASE_POOL_SIZE": "3"]).connectionsPerLoop == [3])
        #expect(try serving(["API_THREADS": "8"]).connectionsPerLoop == [Int](repeating: 3, count: 8))
    }

    @Test(arguments: [
        (["API_SECRET_KEY": "-"], "API_SECRET_KEY: is not set"),
        (["API_SECRET_KEY": "short"], "API_SECRET_KEY: has only 5 characters"),
        (["DATABASE_URL": "-"], "DATABASE_URL: is not set"),
        (["DATABASE_URL": "postgresql://db/jobs?sslmodee=require"], "DATABASE_URL: "),
        (["API_PORT": "65536"], "API_PORT: \"65536\" is out of range"),
        (["API_THREADS": "4", "DATABASE_POOL_SIZE": "11"], "DATABASE_POOL_SIZE, API_THREADS: 4 threads need"),
        (["DATABASE_SCHEMA": "a;b"], "DATABASE_SCHEMA: \"a;b\""),
        (["DATABASE_SCHEMA": "1a"], "DATABASE_SCHEMA: \"1a\""),
        (["TLS_CERT_FILE": "/etc/hostname"], "TLS_CERT_FILE, TLS_KEY_FILE: one is set without the other"),
        (["TLS_CERT_FILE": "/nowhere", "TLS_KEY_FILE": "/etc/hostname"], "TLS_CERT_FILE: \"/nowhere\" cannot be used"),
        (["TLS_CERT_FILE": "/etc/hostname", "TLS_KEY_FILE": "/etc/hostname"], "TLS_CERT_FILE, TLS_KEY_FILE: /etc/h"),
        (
            ["TLS_CERT_FILE": "/dev/null", "TLS_KEY_FILE": "/etc/hostname"],
            "TLS_CERT_FILE: \"/dev/null\" cannot be used: is a character device"
        ),
        (
            ["API_DRAIN_DELAY_SECONDS": "25"],
            "API_DRAIN_DELAY_SECONDS, API_DRAIN_TIMEOUT_SECONDS: the delay must be shorter"
        ),
        (["LOG_LEVEL": "loud"], "LOG_LEVEL: \"loud\" is not a known value"),
        (["JOB_PAYLOAD_MAX_BYTES": "9MiB"], "JOB_PAYLOAD_MAX_BYTES: \"9MiB\" is out of range"),
    ])
    func `a value that is not accepted is refused with its name`(changes: [String: String], problem: String) throws {
        guard case .exit(let status, let text) = start([], changes) else { throw Failure("accepted") }
        #expect(status == ConfigurationFailure.exitStatus)
        #expect(text.contains("\n  \(problem)"), "\(text)")
        // One mistake is one problem.
        #expect(text.split(separator: "\n").count == 2, "\(text)")
    }

    @Test func `migrate needs no key`() throws {
        guard case .run(_, let command?, _) = start(["migrate", "status"], ["API_SECRET_KEY": "-"]) else {
            throw Failure("refused")
        }
        #expect(command.name == "migrate" && command.action == "status")
    }

    @Test func `a misspelt variable is a warning, and one of another program is not`() throws {
        let given = ["API_PROT": "1", "JOBQUEUE_X": "1", "WORKER_QUEUES": "a", "REAPER_INTERVAL_SECONDS": "1"]
        guard case .run(_, _, let warnings) = start([], given) else { throw Failure("refused") }
        #expect(warnings.count == 2)
        #expect(warnings.contains { $0.contains("\"API_PROT\"") && $0.contains("did you mean API_PORT?") })
    }

    // MARK: The documentation

    /// The rows of the tables in `docs/configuration.md`.
    private func documented() throws -> [(name: String, readers: String, fallback: String, range: String)] {
        try Repository.text("docs/configuration.md").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { cell in
                String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            guard cells.count >= 6, cells[1].hasPrefix("`"), cells[1] == cells[1].uppercased() else { return nil }
            return (cells[1].filter { $0 != "`" }, cells[2], cells[3].filter { $0 != "`" }, cells[4])
        }
    }

    @Test func `the table of the documentation has every variable with its default and range`() throws {
        guard case .exit(0, let listing) = start(["--list-settings"]) else { throw Failure("no listing") }
        let rows = try documented()
        let declared = listing.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        #expect(declared.count > 15)
        for setting in declared {
            let row = rows.first { $0.name == setting[0] }
            #expect(row != nil, "\(setting[0]) is not in docs/configuration.md")
            #expect(row?.fallback == setting[2], "\(setting[0])")
            if let match = setting[3].firstMatch(of: /from (\S+) to ([^\s,]+)/) {
                #expect(row?.range == "\(match.output.1) to \(match.output.2)", "\(setting[0])")
            }
            #expect(row?.readers == "all" || row?.readers.contains("api") == true, "\(setting[0])")
        }
        let known = Set(declared.map { $0[0] })
        for row in rows where row.readers == "all" || row.readers.contains("api") {
            #expect(known.contains(row.name), "docs/configuration.md has \(row.name), which the api does not read")
        }
    }
}

/// Files of this repository.
enum Repository {
    static func text(_ path: String) throws -> String {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let file = open("\(root)/\(path)", O_RDONLY)
        guard file >= 0 else { throw Failure("\(root)/\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(file, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
