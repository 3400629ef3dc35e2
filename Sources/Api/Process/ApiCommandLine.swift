internal import Configuration
internal import Workers

/// What may stand behind `jobqueue-api`.
enum ApiCommandLine {
    static let grammar = CommandGrammar(
        program: "jobqueue-api", summary: "the HTTP API of jobqueue",
        commands: [
            .init(
                "migrate",
                summary: "bring the schema of the database up to date (up), or show where it stands (status: exit 2 "
                    + "when something is pending)",
                actions: ["up", "status"],
                options: [
                    .init("--dry-run", summary: "only say what would be done"),
                    .init(
                        "--wait-seconds", value: "N",
                        summary: "how long to wait for PostgreSQL to come up, 0 to 3600; default 60"),
                ]),
            .init(
                "audit",
                summary: "check that the history of pausing and resuming is as it was written (exit 2 when it is not)",
                actions: ["verify"], options: []),
            ControlCommand.grammar,
            HealthCommand.grammar(source: "by asking /health of this machine; with --ready, /ready"),
        ])

    /// Variables of other programs of the house may well be set here; an unknown one of ours is misspelt.
    static let prefixes = ["API_", "JOBQUEUE_"]
}
