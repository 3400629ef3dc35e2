extension DatabaseConnection {
    /// Runs a statement in a transaction of its own, and returns when that is committed.
    ///
    /// - Parameter timeout: from now; by default the statement's timeout and the network's grace.
    public func execute(_ statement: BoundStatement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        let request = GroupRequest(body: .one(statement), isWholeTransaction: true)
        return try await send(request, timeout: timeout).onlyRows()
    }

    /// Runs a statement that is composed at run time, without preparing it under a name.
    ///
    /// - Parameter sql: one statement. Values belong in `parameters`, never in it.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        let request = GroupRequest(body: .query(sql, parameters), isWholeTransaction: true)
        return try await send(request, timeout: timeout).onlyRows()
    }

    /// Runs statements in one transaction and one round trip: all are committed, or none.
    /// - Returns: the rows of each, in order.
    public func executeGroup(
        _ statements: [BoundStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        let request = GroupRequest(body: .several(statements), isWholeTransaction: true)
        return try await send(request, timeout: timeout).all
    }

    /// Runs `body` between `BEGIN` and `COMMIT`, or `ROLLBACK` if it throws. The connection must have no other user.
    ///
    /// `BEGIN` travels with the first statement. Loss of the connection before `COMMIT` was sent is reported as a
    /// known outcome (nothing committed); after it, as unknown.
    ///
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

    /// The isolation of a transaction (documentation, "Transaction Isolation").
    public enum Isolation: Sendable {
        case readCommitted, repeatableRead, serializable
        /// One snapshot for several reads.
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
    /// The rows of the last command, which is the only one but for a `BEGIN`.
    func onlyRows() throws(PostgresError) -> Rows {
        guard let rows = last else { throw .misuse("a statement was answered without a result") }
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
