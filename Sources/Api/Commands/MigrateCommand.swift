internal import Configuration
internal import EventLoop
internal import Postgres
internal import Values

/// `jobqueue-api migrate`: what it did goes to standard output, why it could not to standard error.
struct MigrateCommand: Sendable {
    private enum Action {
        case up, status, dryRun
    }

    /// How the process ends.
    enum ExitStatus: Int32 {
        case done = 0
        /// Of `status` only: there is something to apply.
        case pending = 2
    }

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

    private static let commandLoop = CommandLoop(name: "migrate")

    /// Runs on the calling thread.
    func run() -> Int32 {
        Self.commandLoop.run { loop in try await perform(on: loop).rawValue }
    }

    private func perform(on loop: Loop) async throws -> ExitStatus {
        let files = try readFiles()
        let credentials = try await settings.database.credentials()
        let migrator = Migrator(
            settings: try settings.sessions(), credentials: credentials, files: files, on: loop)
        let plan = try await waitForPlan(migrator, on: loop)
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
            throw .unreadable(path, reason: "\(reason) (MIGRATIONS_DIR says where the migrations are)")
        }
    }

    /// A container of PostgreSQL takes some seconds to come up, and a Job that migrates starts beside it.
    private func waitForPlan(_ migrator: Migrator, on loop: Loop) async throws -> MigrationPlan {
        let deadline = MonotonicInstant.now() + waitLimit
        var hasTold = false
        while true {
            do throws(MigrationError) {
                return try await migrator.plan()
            } catch {
                guard case .database(let cause) = error, cause.isUnavailable, MonotonicInstant.now() < deadline else {
                    throw error
                }
                if !hasTold {
                    Self.commandLoop.report("waiting for PostgreSQL at \(settings.database.description): \(cause)")
                }
                hasTold = true
            }
            try await loop.sleep(for: Self.pauseBetweenAttempts)
        }
    }

    private func apply(_ migrator: Migrator) async throws(MigrationError) -> ExitStatus {
        let steps = try await migrator.up { file in
            StandardStream.output.write("applying \(file.fileName)\n")
        }
        let milliseconds = steps.reduce(0) { $0 + Int($1.milliseconds) }
        StandardStream.output.write(
            steps.isEmpty
                ? "nothing to do: the schema is up to date\n"
                : "applied \(steps.count) of them in \(milliseconds) ms: the schema is up to date\n")
        return .done
    }

    private func describe(_ plan: MigrationPlan) -> ExitStatus {
        for pending in plan.pending { StandardStream.output.write("would apply \(pending.file.fileName)\n") }
        if plan.pending.isEmpty { StandardStream.output.write("nothing to do: the schema is up to date\n") }
        return .done
    }

    private func show(_ plan: MigrationPlan) -> ExitStatus {
        for row in plan.applied {
            let name = MigrationFile(version: row.version, name: row.name, sql: "").fileName
            StandardStream.output.write("applied  \(row.appliedAt)  \(name)\n")
        }
        for pending in plan.pending {
            StandardStream.output.write("pending  \(pending.file.fileName)\n")
        }
        return plan.pending.isEmpty ? .done : .pending
    }
}
