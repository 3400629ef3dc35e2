internal import Configuration
internal import Jobs
internal import Postgres

/// `jobqueue-reaper watchdog`: one sweep over the jobs that did not stop when they were cancelled. The result goes to
/// standard output.
struct WatchdogCommand: Sendable {
    let order: WatchdogOrder
    let isDryRun: Bool

    static let name = "watchdog"
    static let grammar = CommandGrammar.Command(
        name,
        summary:
            "End jobs that did not stop when they were cancelled, oldest first; exit 0, also when there was none, or "
            + "1\n"
            + "      on an error of PostgreSQL. The settings WATCHDOG_* are the defaults.",
        options: [
            .init(
                "--older-than-minutes", value: "MINUTES", summary: "Minutes since the cancellation; default 30."),
            .init(
                "--max-jobs", value: "COUNT", aliases: ["--max-labs"], summary: "Maximum number of jobs; default 20."),
            .init(
                "--action", value: "force|fail",
                summary: "force: they become cancelled, and their teardowns are created. fail: they become failed."),
            .init("--dry-run", summary: "List the jobs, and change nothing."),
        ])

    /// - Throws: what is wrong with the command line.
    init(_ command: CommandLineArguments.Command, _ settings: ReaperSettings) throws(UsageError) {
        var order = settings.watchdog
        if let minutes = try command.integer("--older-than-minutes", in: ReaperSettings.watchdogMinutes) {
            order.olderThanMinutes = Int32(minutes)
        }
        if let count = try command.integer("--max-jobs", in: ReaperSettings.watchdogJobs) {
            order.jobsMax = Int32(count)
        }
        order.action = try command.choice("--action") ?? order.action
        self.order = order
        isDryRun = command.has("--dry-run")
    }

    func run(on store: JobStore) async throws(PostgresError) {
        let jobs = isDryRun ? try await store.stuckJobs(order) : try await store.endStuck(order)
        for job in jobs { StandardStream.output.write(line(job)) }
        let verb = isDryRun ? "would be" : jobs.count == 1 ? "was" : "were"
        StandardStream.output.write(
            "\(jobs.count) job\(jobs.count == 1 ? "" : "s") \(verb) ended (\(order.action.rawValue)): ending for "
                + "\(order.olderThanMinutes) minutes or longer, at most \(order.jobsMax)\n")
    }

    private func line(_ job: StuckJob) -> String {
        "\(order.action.rawValue) \(job.id) queue=\(job.queue) type=\(job.type) attempt=\(job.attempt)"
            + " worker=\(job.workerID) ending_since=\(job.endingSince)"
            + (job.teardownID.map { " teardown=\($0)" } ?? "") + "\n"
    }
}
