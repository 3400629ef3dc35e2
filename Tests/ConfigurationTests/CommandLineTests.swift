import Testing

@testable import Configuration

private let grammar = CommandGrammar(
    program: "jobqueue-test", summary: "Serves a test.",
    commands: [
        .init(
            "migrate", summary: "Brings the schema up to date.", actions: ["up", "status"],
            options: [.init("--dry-run", summary: "Only say what would be done.")]),
        .init(
            "watchdog", summary: "Ends what is stuck.",
            options: [
                .init("--max-jobs", value: "N", aliases: ["--max-labs"], summary: "At most so many."),
                .init("--dry-run", summary: "Only say what would be done."),
            ]),
    ])

struct CommandLineArgumentsTests {
    private func parse(_ words: String) throws -> CommandLineArguments {
        try CommandLineArguments(parsing: words.split(separator: " ").map(String.init), grammar)
    }

    @Test func `without arguments the program serves`() throws {
        let line = try parse("")
        #expect(line.request == .run)
        #expect(line.command == nil)
    }

    @Test(
        arguments: [
            ("--help", .help), ("-h", .help), ("--version", .version), ("--check-config", .checkConfig),
            ("--list-settings", .listSettings), ("migrate --help", .help), ("--help --help", .help),
        ] as [(String, CommandLineArguments.Request)])
    func `every program has options for help, version, check and listing`(
        words: String, request: CommandLineArguments.Request
    ) throws {
        #expect(try parse(words).request == request)
    }

    @Test func `a command has an action and options in any order`() throws {
        #expect(try parse("migrate").command?.action == "up")
        #expect(try parse("migrate status").command?.action == "status")
        let line = try parse("migrate --dry-run up")
        #expect(line.command?.action == "up")
        #expect(line.command?.has("--dry-run") == true)
        #expect(try parse("migrate up").command?.has("--dry-run") == false)
    }

    @Test func `an option's value may follow it, and an alias is equivalent`() throws {
        for words in ["watchdog --max-jobs=20", "watchdog --max-jobs 20", "watchdog --max-labs=20 --dry-run"] {
            #expect(try parse(words).command?.integer("--max-jobs", in: 1...100) == 20)
        }
        #expect(try parse("watchdog").command?.integer("--max-jobs", in: 1...100) == nil)
        #expect(
            throws: UsageError(#"--max-jobs: "+5" is not an integer from 1 to 100"#)
        ) { try parse("watchdog --max-jobs=+5").command?.integer("--max-jobs", in: 1...100) }
    }

    @Test(arguments: [
        ("--hlep", #"unknown argument "--hlep"; did you mean --help?"#),
        ("migrat", #"unknown argument "migrat"; did you mean migrate?"#),
        ("serve", #"unknown argument "serve""#),
        ("migrate down", #"unknown argument "down""#),
        ("migrate up status", #"unknown argument "status""#),
        ("migrate --dry-rum", #"unknown argument "--dry-rum"; did you mean --dry-run?"#),
        ("migrate --dry-run=1", "--dry-run accepts no value"),
        ("migrate --dry-run --dry-run", "--dry-run is given more than once"),
        ("watchdog --max-jobs", "--max-jobs requires a value: --max-jobs=N"),
        ("watchdog --max-jobs=", "--max-jobs requires a value: --max-jobs=N"),
        ("watchdog --max-jobs=1 --max-labs=2", "--max-jobs is given more than once"),
        ("--help --version", #""--version" cannot be combined with another request"#),
    ])
    func `any other command line is rejected`(words: String, message: String) {
        #expect(throws: UsageError(message)) { try parse(words) }
    }
}

struct StartupTests {
    private struct Settings {
        let port: Int
    }

    private func decide(_ arguments: [String], _ values: [String: String]) -> Startup<Settings> {
        Startup.decide(
            arguments: arguments, environment: ProcessEnvironment(values), grammar: grammar, version: "1.2.3",
            prefixes: ["TEST_"]
        ) { settings, command in
            let port = settings.integer("TEST_PORT", default: 8000, in: 1...65535, help: "Port to listen on.")
            if command == nil { _ = settings.secret("TEST_KEY", charactersMin: 8, help: "The root key.") }
            return Settings(port: port)
        }
    }

    private func ending(_ arguments: [String], _ values: [String: String] = [:]) -> (status: Int32, text: String)? {
        guard case .exit(let status, let text) = decide(arguments, values) else { return nil }
        return (status, text)
    }

    @Test func `valid settings run, with a warning for an unknown variable`() {
        let startup = decide([], ["TEST_KEY": "12345678", "TEST_PORT": "9000", "TEST_PROT": "1"])
        guard case .run(let settings, let command, let warnings) = startup else {
            Issue.record("it does not run: \(startup)")
            return
        }
        #expect(settings.port == 9000)
        #expect(command == nil)
        #expect(warnings == [#""TEST_PROT" is not a known variable; did you mean TEST_PORT?"#])
    }

    @Test func `files of settings that do not exist yet are awaited, if nothing else is wrong`() {
        func isServing(_ command: CommandLineArguments.Command?) -> Bool { command == nil }
        func decide(_ arguments: [String], _ values: [String: String]) -> Startup<Settings> {
            Startup.decide(
                arguments: arguments, environment: ProcessEnvironment(values), grammar: grammar, version: "1.2.3",
                prefixes: ["TEST_"], awaitsFiles: isServing
            ) { settings, _ in
                _ = settings.secret("TEST_KEY", charactersMin: 8, help: "The root key.")
                return Settings(port: settings.integer("TEST_PORT", default: 1, in: 1...9, help: "Port."))
            }
        }
        guard case .wait(let files) = decide([], ["TEST_KEY_FILE": "/nonexistent"]) else {
            Issue.record("it does not wait")
            return
        }
        #expect(files == [#""/nonexistent" (TEST_KEY_FILE)"#])
        for (arguments, values) in [
            ([], ["TEST_KEY_FILE": "/nonexistent", "TEST_PORT": "10"]), ([], ["TEST_KEY_FILE": "/etc"]),
            (["migrate"], ["TEST_KEY_FILE": "/nonexistent"]), (["--check-config"], ["TEST_KEY_FILE": "/nonexistent"]),
        ] {
            guard case .exit(78, _) = decide(arguments, values) else {
                Issue.record("it waits: \(arguments) \(values)")
                continue
            }
        }
    }

    @Test func `a command may require fewer settings than serving`() {
        guard case .run(_, let command, _) = decide(["migrate"], [:]) else {
            Issue.record("it does not run")
            return
        }
        #expect(command?.name == "migrate")
    }

    @Test func `invalid settings exit with 78 and list every problem`() throws {
        for arguments in [[], ["--check-config"]] {
            let exit = try #require(ending(arguments, ["TEST_PORT": "x"]))
            #expect(exit.status == 78)
            #expect(
                exit.text == """
                    jobqueue-test: the configuration is not valid:
                      TEST_PORT: "x" is not an integer (accepted: an integer from 1 to 65535)
                      TEST_KEY: is not set (accepted: 8 or more visible ASCII characters)

                    """)
        }
    }

    @Test func `a check of valid settings exits with 0`() throws {
        let exit = try #require(ending(["--check-config"], ["TEST_KEY": "12345678"]))
        #expect(exit.status == 0)
        #expect(exit.text == "the configuration is valid\n")
    }

    @Test func `an unknown argument exits with 64 and prints the usage`() throws {
        let exit = try #require(ending(["--hlep"]))
        #expect(exit.status == 64)
        #expect(
            exit.text == """
                jobqueue-test: unknown argument "--hlep"; did you mean --help?
                Usage: jobqueue-test [--help | --version | --check-config | --list-settings]
                       jobqueue-test migrate [up|status] [--dry-run]
                       jobqueue-test watchdog [--max-jobs=N] [--dry-run]

                """)
    }

    @Test func `the help and the listing show every setting, regardless of the environment`() throws {
        let help = try #require(ending(["--help"], ["TEST_PORT": "x"]))
        #expect(help.status == 0)
        #expect(
            help.text.contains(
                "  TEST_PORT\n      Port to listen on.\n      an integer from 1 to 65535; default: 8000\n"))
        #expect(help.text.contains("8 or more visible ASCII characters; required\n"))
        #expect(help.text.contains("\n  migrate\n      Brings the schema up to date.\n"))
        #expect(
            try #require(ending(["--list-settings"])).text == """
                TEST_PORT\toptional\t8000\tan integer from 1 to 65535\tPort to listen on.
                TEST_KEY\trequired\t\t8 or more visible ASCII characters\tThe root key.

                """)
    }

    @Test func `the version is printed`() throws {
        #expect(try #require(ending(["--version"])).text == "jobqueue-test 1.2.3\n")
    }
}
