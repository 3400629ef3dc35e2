internal import Configuration
internal import Pauses
internal import Postgres
internal import Service

/// `jobqueue-api audit verify`: verifies the hash chain of the pause history, and prints its head. It exits with 0 if
/// the chain is complete, with 2 after listing each fault, and with 1 if the history cannot be read.
///
/// The owner of the database can rewrite the whole chain, or remove its end together with the versions of the scopes,
/// but not a head that was printed before and kept elsewhere (`--head`).
struct AuditCommand: Sendable {
    private static let pageSize: Int32 = 1_000
    /// The exit status when the chain is broken.
    private static let broken: Int32 = 2

    private let settings: ApiSettings
    private let known: HistoryHead?

    init(_ settings: ApiSettings, _ command: CommandLineArguments.Command) throws(UsageError) {
        self.settings = settings
        guard let text = command.text("--head") else {
            known = nil
            return
        }
        known = HistoryHead(text)
        if known == nil { throw UsageError("--head must be a version and a hash, as this command prints them") }
    }

    var plan: ProcessPlan {
        .command("audit") { process in try await run(in: process) }
    }

    private func run(in process: ProcessContext) async throws(PostgresError) -> Int32 {
        let sessions = DatabaseSessions(
            settings.sessions, connections: DatabaseSessions.connectionsMin, on: process.loop)
        let check = try await verify(PauseStore(pool: sessions.general))
        await sessions.close()
        for fault in check.faults {
            StandardStream.output.write("version \(fault.version): \(fault.description)\n")
        }
        StandardStream.output.write(
            check.faults.isEmpty
                ? "\(check.count) changes: the chain is complete\n"
                : "\(check.count) changes: the history was altered\n")
        if let head = check.head { StandardStream.output.write("head \(head)\n") }
        return check.faults.isEmpty ? ExitStatus.success : Self.broken
    }

    private func verify(_ pauses: PauseStore) async throws(PostgresError) -> HistoryCheck {
        var check = HistoryCheck(containing: known)
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
