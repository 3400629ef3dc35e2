extension DatabaseConnection {
    /// Executes a statement in a transaction of its own. Returns after the commit.
    ///
    /// - Parameter timeout: time for the response; by default `statementTimeout` plus `answerGrace`.
    public func execute(_ statement: BoundStatement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        try await execute(statement, opening: nil, timeout: timeout)
    }

    /// - Parameter opening: a statement to execute first in the transaction, whose rows are not returned.
    func execute(
        _ statement: BoundStatement, opening: BoundStatement?, timeout: Duration?
    ) async throws(PostgresError) -> Rows {
        let request = GroupRequest(body: .one(statement), opening: opening, isWholeTransaction: true)
        return try await send(request, timeout: timeout).onlyRows()
    }

    /// Executes a statement composed at run time, without a named preparation.
    ///
    /// - Parameter sql: one statement. Values must be passed in `parameters`.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await execute(sql: sql, parameters, opening: nil, timeout: timeout)
    }

    func execute(
        sql: String, _ parameters: Parameters, opening: BoundStatement?, timeout: Duration?
    ) async throws(PostgresError) -> Rows {
        let request = GroupRequest(body: .query(sql, parameters), opening: opening, isWholeTransaction: true)
        return try await send(request, timeout: timeout).onlyRows()
    }

    /// Executes statements in one transaction and one round trip.
    /// - Returns: the rows of each statement, in order.
    public func executeGroup(
        _ statements: [BoundStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        try await executeGroup(statements, opening: nil, timeout: timeout)
    }

    func executeGroup(
        _ statements: [BoundStatement], opening: BoundStatement?, timeout: Duration?
    ) async throws(PostgresError) -> [Rows] {
        let request = GroupRequest(body: .several(statements), opening: opening, isWholeTransaction: true)
        return try await send(request, timeout: timeout).all.suffix(statements.count)
    }

    /// Calls `body` between `BEGIN` and `COMMIT`; executes `ROLLBACK` if it throws. Requires exclusive use.
    ///
    /// `BEGIN` is sent with the first statement. A loss of the connection before `COMMIT` was sent is reported with a
    /// known outcome (not committed), after it with an unknown outcome.
    /// - Throws: what `body` throws, and `PostgresError` as an error of the same type.
    public func transaction<Value, Failure: PostgresErrorConvertible>(
        _ isolation: Isolation = .readCommitted, _ body: (Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let transaction = Transaction(on: self, isolation: isolation)
        let value: Value
        do throws(Failure) {
            value = try await body(transaction)
        } catch {
            await transaction.rollBack()
            throw error
        }
        do throws(PostgresError) {
            try await transaction.commit()
            return value
        } catch {
            await transaction.rollBack()
            throw Failure(error)
        }
    }

    /// The isolation level of a transaction (PostgreSQL documentation, "Transaction Isolation").
    public enum Isolation: Sendable {
        case readCommitted, repeatableRead, serializable
        /// Repeatable read, read only: one snapshot for several reads.
        case repeatableReadOnly

        var opening: BoundStatement {
            switch self {
            case .readCommitted: TransactionStatements.begin()
            case .repeatableRead: TransactionStatements.beginRepeatableRead()
            case .serializable: TransactionStatements.beginSerializable()
            case .repeatableReadOnly: TransactionStatements.beginReadOnly()
            }
        }
    }
}

extension GroupAnswer {
    /// The rows of the last command, which is the only one apart from `BEGIN`.
    func onlyRows() throws(PostgresError) -> Rows {
        guard let rows = last else { throw .misuse("a statement returned no result") }
        return rows
    }
}

/// The statements that open and end explicit transactions.
enum TransactionStatements {
    static let begin = Statement("begin", "BEGIN")
    static let beginRepeatableRead = Statement("begin_repeatable_read", "BEGIN ISOLATION LEVEL REPEATABLE READ")
    static let beginSerializable = Statement("begin_serializable", "BEGIN ISOLATION LEVEL SERIALIZABLE")
    static let beginReadOnly = Statement("begin_read_only", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    static let commit = Statement("commit", "COMMIT")
    static let rollback = Statement("rollback", "ROLLBACK")
}
