internal import EventLoop
internal import Values

/// Finds out whether a pooler stands between this process and PostgreSQL, and gives each transaction another session
/// of the server (PgBouncer: `pool_mode` transaction or statement).
///
/// Such a pooler must be refused before anything is set: what one client sets in a session, such as
/// `synchronous_commit`, applies to the next client that gets it, and its own statements run without.
///
/// A pooler is there if the process id that the session was opened with is not that of the server process: poolers
/// make up their own. In session mode each connection then keeps its server process. In transaction mode two
/// connections take turns with the same one, or one connection changes between several: a single such case is a proof.
/// Without a proof the connection is accepted: the second connection may not be opened in time, because in session
/// mode each takes a place in the pooler.
enum PoolerCheck {
    static let refusal = """
        a pooler gives each transaction another session of PostgreSQL (transaction pooling), and what is set in \
        one would apply to others; use a pooler in session mode (PgBouncer: pool_mode = session), or connect to \
        PostgreSQL itself
        """

    /// Each turn asks both connections once.
    private static let turns = 3

    /// - Parameters:
    ///   - first: a connection that goes through a pooler.
    ///   - second: opens another one, within this time.
    ///   - deadline: half of the time until then is for this check: a pooler in transaction mode answers at once.
    /// - Throws: `.connectionFailed` with `refusal`.
    static func refuseTransactionPooling(
        _ first: DatabaseConnection, until deadline: MonotonicInstant,
        second: (MonotonicInstant) async throws(PostgresError) -> DatabaseConnection
    ) async throws(PostgresError) {
        let limit = MonotonicInstant.now() + (deadline - .now()) / 2
        guard let other = try? await second(limit) else { return }
        defer { other.close() }
        var known: (first: Int32, other: Int32)?
        for _ in 0..<turns {
            let timeout = max(limit - .now(), .milliseconds(1))
            guard let one = await serverProcess(of: first, timeout),
                let two = await serverProcess(of: other, timeout)
            else { return }
            let changed = known.map { $0 != (one, two) } ?? false
            guard one != two, !changed else { throw .connectionFailed(reason: refusal) }
            known = (one, two)
        }
    }

    private static func serverProcess(of connection: DatabaseConnection, _ timeout: Duration) async -> Int32? {
        let rows = try? await connection.execute(sql: "SELECT pg_backend_pid()", timeout: timeout)
        return try? rows?.decodeOnly()
    }
}
