internal import Configuration
internal import Pauses
internal import Postgres

/// `jobqueue-api audit verify`: checks that the history of pauses was not altered.
struct AuditCommand: Sendable {
    private static let pageSize: Int32 = 1_000

    let settings: ApiSettings

    /// Runs on the calling thread. 0: the chain is complete; 2: it is not, and each fault is listed; 1: it could not be
    /// read.
    func run() -> Int32 {
        CommandLoop(name: "audit").run { loop in
            let sessions = try settings.sessions()
            let pool = ConnectionPool(
                sessions, options: .init(size: 1), on: loop, credentials: settings.database.credentials)
            defer { pool.close() }
            let check = try await verify(PauseStore(pool: pool))
            for fault in check.faults {
                StandardStream.output.write("version \(fault.version): \(fault.description)\n")
            }
            StandardStream.output.write(
                check.faults.isEmpty
                    ? "\(check.count) changes: the chain is complete\n"
                    : "\(check.count) changes: the history was altered\n")
            return check.faults.isEmpty ? 0 : 2
        }
    }

    private func verify(_ pauses: PauseStore) async throws(PostgresError) -> HistoryCheck {
        var check = HistoryCheck()
        var last = Int64.min
        while true {
            let page = try await pauses.history(after: last, limit: Self.pageSize)
            for entry in page { check.add(entry) }
            guard page.count == Int(Self.pageSize), let end = page.last else { break }
            last = end.version
        }
        check.end(newestVersion: try await pauses.latest().version)
        return check
    }
}
