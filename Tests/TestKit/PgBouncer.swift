internal import Glibc

/// A pooler in front of a server for tests. It ends when this object is released, or with the process.
public final class PgBouncer: Sendable {
    public enum Mode: String, Sendable, CaseIterable {
        case session, transaction, statement
    }

    public let port: UInt16
    private let server: PostgresServer
    /// A pipe that only this process holds: the pooler ends with it.
    private let lifeline: Int32

    /// - Parameter poolSize: sessions with the server.
    public init(to server: PostgresServer, _ mode: Mode, poolSize: Int = 20) throws {
        self.server = server
        port = FreePort.take()
        let ends = try Command.makePipe()
        defer { close(ends.read) }
        lifeline = ends.write
        let file = "\(server.directory)/pgbouncer-\(port).ini"
        let script = """
            printf '%s\\n' '[databases]' '* = host=\(server.directory) port=\(server.port) user=postgres' '[pgbouncer]' \
              'listen_addr = 127.0.0.1' 'listen_port = \(port)' 'unix_socket_dir =' 'auth_type = any' \
              'pool_mode = \(mode)' 'default_pool_size = \(poolSize)' 'max_client_conn = 200' \
              'logfile = \(server.directory)/pgbouncer-\(port).log' > '\(file)'
            PATH="$PATH:/usr/sbin" pgbouncer -q '\(file)' &
            read nothing
            kill -9 $!
            """
        _ = try Command.spawn(server.asUser + ["setsid", "sh", "-c", script], input: ends.read, output: nil)
    }

    deinit {
        close(lifeline)
    }

    /// The URL for `DatabaseSettings` and `DATABASE_URL`.
    public func url(database: String) -> String {
        server.tcpURL(database: database, port: port)
    }
}
