/// An explicit transaction on a connection in exclusive use. Valid within the body of `DatabaseConnection.transaction`.
///
/// Statements can be pipelined by calls from several child tasks. After a server error every further statement fails
/// (SQLSTATE 25P02), and the transaction is rolled back, even if the body catches the error.
///
/// `@unchecked Sendable`, because it is confined to the loop of its connection, which `send` checks.
public final class Transaction: @unchecked Sendable {
    private enum State {
        /// `BEGIN` is sent with the first statement. Followed by `open`, or by `ended` if the body executes none.
        case notBegun
        /// Followed by `ended` (`commit`, `rollBack`).
        case open
        case ended
    }

    private let connection: DatabaseConnection
    private let isolation: DatabaseConnection.Isolation
    private var state = State.notBegun
    private var firstFailure: PostgresError?

    init(on connection: DatabaseConnection, isolation: DatabaseConnection.Isolation) {
        self.connection = connection
        self.isolation = isolation
    }

    /// Executes a statement in the transaction.
    public func execute(_ statement: BoundStatement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        try await send(.one(statement), timeout: timeout).onlyRows()
    }

    /// Executes a statement composed at run time.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await send(.query(sql, parameters), timeout: timeout).onlyRows()
    }

    /// Executes statements in one round trip.
    /// - Returns: the rows of each statement, in order.
    public func executeGroup(
        _ statements: [BoundStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        try await send(.several(statements), timeout: timeout).all.suffix(statements.count)
    }

    private func send(_ body: GroupRequest.Body, timeout: Duration?) async throws(PostgresError) -> GroupAnswer {
        var request = GroupRequest(body: body, isWholeTransaction: false)
        switch state {
        case .ended: throw .misuse("a transaction was used after its end")
        case .open: break
        case .notBegun:
            request.opening = isolation.opening
            state = .open
        }
        do throws(PostgresError) {
            return try await connection.send(request, timeout: timeout)
        } catch {
            if firstFailure == nil { firstFailure = error }
            throw error
        }
    }

    func commit() async throws(PostgresError) {
        guard case .open = state else {
            state = .ended
            return
        }
        if let firstFailure {
            await rollBack()
            throw firstFailure
        }
        state = .ended
        let request = GroupRequest(
            body: .one(TransactionStatements.commit()), isWholeTransaction: false, isCommit: true)
        let answer = try await connection.send(request, timeout: nil).onlyRows()
        // The server responds to COMMIT of a failed transaction with the tag ROLLBACK and without an error.
        guard answer.commandTag == "COMMIT" else { throw .misuse("the transaction failed before its COMMIT") }
    }

    /// Rolls back. Closes the connection if that fails.
    func rollBack() async {
        guard case .open = state else { return }
        state = .ended
        let request = GroupRequest(body: .one(TransactionStatements.rollback()), isWholeTransaction: false)
        do {
            _ = try await connection.send(request, timeout: nil)
        } catch {
            connection.close()
        }
    }
}
