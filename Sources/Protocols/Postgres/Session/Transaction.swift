/// An explicit transaction on a connection that is held for it. Valid within the body that it was made for.
///
/// Statements may be pipelined by calling from several child tasks. After an error of the server every further
/// statement fails (SQLSTATE 25P02), and the transaction is rolled back, even if the body swallows the error.
///
/// Why `@unchecked Sendable`: confined to the loop of its connection, which `send` checks.
public final class Transaction: @unchecked Sendable {
    private enum State {
        /// `BEGIN` goes with the first statement.
        case notBegun
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

    /// Runs a statement within the transaction.
    public func execute(_ statement: BoundStatement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        try await send(.one(statement), timeout: timeout).onlyRows()
    }

    /// The same for a statement that is composed at run time.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await send(.query(sql, parameters), timeout: timeout).onlyRows()
    }

    /// Runs statements in one round trip.
    /// - Returns: the rows of each, in order.
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
        // The server answers COMMIT of a failed transaction with ROLLBACK, and no error.
        guard answer.commandTag == "COMMIT" else { throw .misuse("the transaction had failed before its COMMIT") }
    }

    /// A connection on which this fails is of no further use.
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
