internal import Configuration
internal import EventLoop
internal import Postgres
internal import Service
internal import Telemetry
internal import Values

/// `jobqueue-api migrate`: results go to standard output, errors to standard error.
struct MigrateCommand: Sendable {
    private enum Action {
        case up, status, dryRun
    }

    /// The exit status of `status` when a migration is pending.
    private static let pending: Int32 = 2

    private let settings: ApiSettings
    private let action: Action
    private let waitLimit: Duration

    private static let waitSecondsStandard = 60
    private static let pauseBetweenAttempts = Duration.milliseconds(500)

    init(_ settings: ApiSettings, _ command: CommandLineArguments.Command) throws(UsageError) {
        self.settings = settings
        let isStatus = command.action == "status"
        action = isStatus ? .status : command.has("--dry-run") ? .dryRun : .up
        waitLimit = .seconds(try command.integer("--wait-seconds", in: 0...3_600) ?? Self.waitSecondsStandard)
    }

    var plan: ProcessPlan {
        .command("migrate") { process in try await run(in: process) }
    }

    private func run(in process: ProcessContext) async throws -> Int32 {
        let files = try readFiles()
        let credentials = try await settings.sessions.source.credentials()
        let migrator = Migrator(
            settings: settings.sessions.database, credentials: credentials, files: files, on: process.loop)
        let plan = try await waitForPlan(migrator, in: process)
        switch action {
        case .up: return try await apply(migrator)
        case .dryRun: return describe(plan)
        case .status: return show(plan)
        }
    }

    private func readFiles() throws(MigrationError) -> [MigrationFile] {
        do throws(MigrationError) {
            return try MigrationFile.readAll(in: settings.migrationsDirectory)
        } catch .unreadable(let path, let reason) {
            throw .unreadable(path, reason: "\(reason) (MIGRATIONS_DIR names the directory)")
        }
    }

    /// A container of PostgreSQL takes some seconds to come up, and a Job that migrates starts beside it.
    private func waitForPlan(_ migrator: Migrator, in process: ProcessContext) async throws -> MigrationPlan {
        let deadline = MonotonicInstant.now() + waitLimit
        var isLogged = false
        while true {
            do throws(MigrationError) {
                return try await migrator.plan()
            } catch {
                guard case .database(let cause) = error, cause.isUnavailable, MonotonicInstant.now() < deadline else {
                    throw error
                }
                if !isLogged {
                    process.logger.warning(
                        "waiting for PostgreSQL at \(settings.sessions.source.description): \(cause)")
                }
                isLogged = true
            }
            try await process.loop.sleep(for: Self.pauseBetweenAttempts)
        }
    }

    private func apply(_ migrator: Migrator) async throws(MigrationError) -> Int32 {
        // A restored database continues with greater lease tokens than were issued before.
        let steps = try await migrator.up(then: "SELECT begin_token_epoch()") { file in
            StandardStream.output.write("applying \(file.fileName)\n")
        }
        let milliseconds = steps.reduce(0) { $0 + Int($1.milliseconds) }
        StandardStream.output.write(
            steps.isEmpty
                ? "nothing to do: the schema is up to date\n"
                : "applied \(steps.count) of them in \(milliseconds) ms: the schema is up to date\n")
        return ExitStatus.success
    }

    private func describe(_ plan: MigrationPlan) -> Int32 {
        for pending in plan.pending { StandardStream.output.write("would apply \(pending.file.fileName)\n") }
        if plan.pending.isEmpty { StandardStream.output.write("nothing to do: the schema is up to date\n") }
        return ExitStatus.success
    }

    private func show(_ plan: MigrationPlan) -> Int32 {
        for row in plan.applied {
            let name = MigrationFile(version: row.version, name: row.name, sql: "").fileName
            StandardStream.output.write("applied  \(row.appliedAt)  \(name)\n")
        }
        for pending in plan.pending {
            StandardStream.output.write("pending  \(pending.file.fileName)\n")
        }
        return plan.pending.isEmpty ? ExitStatus.success : Self.pending
    }
}
