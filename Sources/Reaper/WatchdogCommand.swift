internal import Configuration
internal import EventLoop
internal import Jobs
internal import Postgres

/// `jobqueue-reaper watchdog`: one sweep over the jobs that did not stop when they were asked to, told on standard output.
struct WatchdogCommand: Sendable {
    let order: WatchdogOrder
    let isDryRun: Bool

    static let grammar = CommandGrammar.Command(
        "watchdog",
        summary:
            "End jobs that did not stop when they were asked to, the oldest first, and exit: 0 also when there was\n"
            + "      none, 1 when PostgreSQL refused. What is not given is as WATCHDOG_* says.",
        options: [
            .init(
                "--older-than-minutes", value: "MINUTES", summary: "Those that were asked so long ago; 30 by default."),
            .init("--max-jobs", value: "COUNT", aliases: ["--max-labs"], summary: "At most so many; 20 by default."),
            .init(
                "--action", value: "force|fail",
                summary: "force: they are cancelled, and their teardowns created. fail: they have failed."),
            .init("--dry-run", summary: "Say which these are, and change nothing."),
        ])

    /// Throws what is wrong with the command line.
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
            "\(jobs.count) job\(jobs.count == 1 ? "" : "s") \(verb) ended (\(order.action.rawValue)): those that have been "
                + "ending for \(order.olderThanMinutes) minutes, at most \(order.jobsMax)\n")
    }

    private func line(_ job: StuckJob) -> String {
        "\(order.action.rawValue) \(job.id) queue=\(job.queue) type=\(job.type) attempt=\(job.attempt)"
            + " worker=\(job.workerID) ending_since=\(job.endingSince)"
            + (job.teardownID.map { " teardown=\($0)" } ?? "") + "\n"
    }
}
