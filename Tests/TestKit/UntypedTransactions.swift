public import Postgres

// A test's body may throw whatever an expectation throws, which no `PostgresErrorConvertible` can stand for.

extension ConnectionPool {
    public func withConnection<Value>(_ body: (DatabaseConnection) async throws -> Value) async throws -> Value {
        try await unwrapping {
            try await self.withConnection { (connection) async throws(AnyFailure) in
                try await wrapping { try await body(connection) }
            }
        }
    }

    public func transaction<Value>(_ body: (Transaction) async throws -> Value) async throws -> Value {
        try await withConnection { connection in try await connection.transaction(.readCommitted, body) }
    }
}

extension DatabaseConnection {
    public func transaction<Value>(
        _ isolation: Isolation = .readCommitted, _ body: (Transaction) async throws -> Value
    ) async throws -> Value {
        try await unwrapping {
            try await self.transaction(isolation) { (transaction) async throws(AnyFailure) in
                try await wrapping { try await body(transaction) }
            }
        }
    }
}

private struct AnyFailure: PostgresErrorConvertible {
    let error: any Error

    init(_ error: PostgresError) {
        self.error = error
    }

    init(any error: any Error) {
        self.error = error
    }
}

private func wrapping<Value>(_ body: () async throws -> Value) async throws(AnyFailure) -> Value {
    do {
        return try await body()
    } catch {
        throw AnyFailure(any: error)
    }
}

private func unwrapping<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let failure as AnyFailure {
        throw failure.error
    }
}
