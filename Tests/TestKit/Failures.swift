public import Postgres

/// The `PostgresError` that `body` throws; nil if it throws none.
public func failure(_ body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}
