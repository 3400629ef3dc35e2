internal import Glibc

/// A PostgreSQL server for tests, in a temporary directory, on a Unix socket there and on a port of the loopback
/// interface. It ends with the process that started it, however that ends.
///
/// It does not wait for the disk (`fsync=off`): data survive a kill of the server, but not of the machine.
///
/// PostgreSQL does not run as root: the tests of root start it as the user `postgres`, otherwise as `nobody`.
public final class PostgresServer: Sendable {
    /// The server that most tests share; the first use starts it.
    public static var shared: PostgresServer {
        get throws {
            try UnitTests.cancel(becauseOf: "PostgreSQL")
            return try firstStart.get()
        }
    }

    private static let firstStart = Result { try PostgresServer() }

    /// The directory of the socket, the log, and the data.
    public let directory: String
    public let port: UInt16

    /// The directory of the server's programs.
    private static let programs: String = {
        let configured = try? Command.run(["pg_config", "--bindir"])
        return configured.map { String($0.prefix { !$0.isNewline }) } ?? "/usr/lib/postgresql/15/bin"
    }()

    /// The command prefix that runs a program as a user other than root.
    let asUser: [String]

    /// - Parameters:
    ///   - isDurable: wait for the disk at each commit, as in production.
    ///   - hasTLS: also accept TLS connections, with a self-signed certificate for `localhost` and 127.0.0.1
    ///     (`certificateFile`).
    ///   - parameters: further lines for `postgresql.conf`.
    public init(isDurable: Bool = false, hasTLS: Bool = false, parameters: [String: String] = [:]) throws {
        try UnitTests.cancel(becauseOf: "PostgreSQL")
        directory = try PostgresServer.makeDirectory()
        asUser = try PostgresServer.dropRoot(owning: directory)
        port = FreePort.take()
        try PostgresServer.endWithThisProcess(directory: directory, asUser: asUser)
        try run(
            ["\(Self.programs)/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
                + ["--no-sync"])
        var settings = [
            "listen_addresses": "127.0.0.1", "port": "\(port)", "unix_socket_directories": directory,
            "fsync": isDurable ? "on" : "off", "full_page_writes": isDurable ? "on" : "off",
            "shared_buffers": "64MB", "max_connections": "300", "log_min_messages": "warning",
            "max_wal_size": "512MB", "autovacuum_naptime": "5s",
        ]
        if hasTLS {
            try makeCertificate()
            settings["ssl"] = "on"
            settings["ssl_cert_file"] = certificateFile
            settings["ssl_key_file"] = "\(directory)/server.key"
        }
        settings.merge(parameters) { $1 }
        let lines = settings.sorted { $0.key < $1.key }.map { "\($0.key) = '\($0.value)'" }
        try run(["sh", "-c", "printf '%s\\n' \"$@\" >> '\(data)/postgresql.conf'", "sh"] + lines)
        try start()
    }

    private var data: String { "\(directory)/data" }

    /// Starts the server after `stop`, and returns when it accepts connections.
    public func start() throws {
        // Its output goes to the log: a pipe would never end.
        try run(["\(Self.programs)/pg_ctl", "-D", data, "-l", "\(directory)/log", "-w", "-t", "60", "-s", "start"])
    }

    public enum StopMode: String, Sendable {
        /// Terminates all sessions, and shuts down in order.
        case fast
        /// Stops without a checkpoint, like a crash.
        case immediate
    }

    public func stop(_ mode: StopMode) throws {
        try run(["\(Self.programs)/pg_ctl", "-D", data, "-m", mode.rawValue, "-w", "-t", "60", "-s", "stop"])
    }

    /// The URL for `DatabaseSettings` and `DATABASE_URL`.
    public func url(database: String) -> String {
        "postgresql://postgres@/\(database)?host=\(directory)&port=\(port)"
    }

    /// The URL with a port of the loopback interface: that of the server or of a proxy.
    public func tcpURL(database: String, port: UInt16? = nil) -> String {
        "postgresql://postgres@127.0.0.1:\(port ?? self.port)/\(database)?sslmode=prefer"
    }

    /// The output of psql: a client that is not ours.
    public func psql(_ sql: String, url: String) throws -> String {
        try Command.run(["psql", "-XAtqc", sql, url])
    }

    /// The content of the server's log.
    public func log() throws -> String {
        try Command.run(["cat", "\(directory)/log"])
    }

    /// The certificate of a server with TLS; it is also its own authority.
    public var certificateFile: String { "\(directory)/server.crt" }

    private func makeCertificate() throws {
        try run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
                + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
                + ["-keyout", "\(directory)/server.key", "-out", certificateFile])
    }

    private func run(_ command: [String]) throws {
        try Command.run(asUser + command)
    }

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/jobqueue-pg-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed in /tmp") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func dropRoot(owning directory: String) throws -> [String] {
        guard getuid() == 0 else { return [] }
        guard let entry = getpwnam("postgres") ?? getpwnam("nobody") else {
            throw Command.Failure(description: "there is neither a user postgres nor a user nobody")
        }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        guard chown(directory, user, group) == 0 else {
            throw Command.Failure(description: "cannot hand \(directory) to another user")
        }
        return ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"]
    }

    /// Starts a shell that waits for the end of this process (the end of a pipe that only this process holds), then
    /// stops the server and removes its files.
    private static func endWithThisProcess(directory: String, asUser: [String]) throws {
        let ends = try Command.makePipe()
        defer { close(ends.read) }
        let script = """
            trap '' INT TERM HUP
            read nothing
            '\(programs)/pg_ctl' -D '\(directory)/data' -m immediate -s stop
            rm -rf '\(directory)'
            """
        _ = try Command.spawn(asUser + ["setsid", "sh", "-c", script], input: ends.read, output: nil)
    }
}
