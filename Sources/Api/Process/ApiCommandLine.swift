internal import Configuration
internal import Service

/// The commands of `jobqueue-api`.
enum ApiCommandLine {
    static let grammar = CommandGrammar(
        program: "jobqueue-api", summary: "the HTTP API of jobqueue",
        commands: [
            .init(
                "migrate",
                summary: "migrate the schema (up), or show its migrations (status; exit 2 when one is pending)",
                actions: ["up", "status"],
                options: [
                    .init("--dry-run", summary: "show what would be done, and change nothing"),
                    .init(
                        "--wait-seconds", value: "N",
                        summary: "seconds to wait for PostgreSQL, 0 to 3600; default 60"),
                ]),
            .init(
                "audit",
                summary: "verify the hash chain of the pause history (exit 2 when it is broken)",
                actions: ["verify"],
                options: [
                    .init(
                        "--head", value: "VERSION:HASH",
                        summary: "a head that this command has printed before, which the history must contain")
                ]),
            ControlCommand.grammar,
            HealthCommand.grammar(source: "GET /health of this machine; with --ready, GET /ready"),
        ])

    static let prefixes = ["API_", "JOBQUEUE_"]
}
