import EventLoop
import Glibc
import Testing

@testable import Worker

@Suite struct HandlersFileTests {
    private func load(
        _ text: String, in scratch: ScratchDirectory, allow: [String] = [], on loop: Loop
    ) throws -> HandlerTable {
        let path = try scratch.write("handlers.json", text)
        var worker = HandlerDependencies(loop: loop)
        worker.webhookAllow = try #require(WebhookAllowList(allow))
        worker.environment = ["SIGNING": "a secret from the environment, 40 letters", "SHORT": "too short"]
        return try HandlersFile.load(path: path, for: worker)
    }

    /// The errors of a file, without its directory.
    private func problems(_ text: String, in scratch: ScratchDirectory, on loop: Loop) throws -> [String] {
        do {
            _ = try load(text, in: scratch, on: loop)
            return []
        } catch let error as HandlersFileError {
            let lines = error.description.split(separator: "\n")
            return lines.map { String($0.dropFirst("\(scratch.path)/".utf8.count)) }
        }
    }

    // MARK: Selection by type

    @Test func `the exact name precedes the longest pattern`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let table = try load(
                """
                {"handlers": {
                    "*": {"exec": ["sh", "-c", "echo any"]},
                    "mail.*": {"exec": ["sh", "-c", "echo mail"]},
                    "mail.bulk.*": {"exec": ["sh", "-c", "echo bulk"]},
                    "mail.bulk.now": {"exec": ["sh", "-c", "echo exact"]}
                }}
                """, in: scratch, on: loop)
            let expected = [
                ("mail.bulk.now", "exact"), ("mail.bulk.later", "bulk"), ("mail.bulk.", "bulk"), ("mail.x", "mail"),
                ("mail", "any"), ("Mail.x", "any"),
            ]
            for (type, name) in expected {
                let handler = try #require(table.handler(for: type))
                #expect(await handler.run(leasedJob(type: type)).resultText == "\"\(name)\"")
            }
            #expect(table.types == ["echo", "fail", "mail.bulk.now", "sleep"])
            #expect(table.patterns == ["mail.bulk.*", "mail.*", "*"])
        }
    }

    @Test func `the types whose leases outlive the worker are known by name`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let table = try load(
                """
                {"handlers": {
                    "a": {"exec": ["sh"], "takeover": "lease"},
                    "b": {"exec": ["sh"], "takeover": "heartbeat"},
                    "c": {"exec": ["sh"]},
                    "hook.*": {"http": "http://127.0.0.1/", "takeover": "lease"}
                }}
                """, in: scratch, allow: ["127.0.0.1"], on: loop)
            #expect(table.keptNames == ["a", "hook.*"])
        }
    }

    @Test func `built-in types need no file, precede patterns, and can be overridden`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let none = HandlerTable([:], builtIn: HandlerTable.builtIn(on: loop))
            #expect(await none.handler(for: "echo")?.run(leasedJob("1")).resultText == "1")
            #expect(none.handler(for: "other") == nil)
            let star = try load(#"{"handlers": {"*": {"exec": ["true"]}}}"#, in: scratch, on: loop)
            #expect(await star.handler(for: "echo")?.run(leasedJob("1")).resultText == "1")
            let other = try load(#"{"handlers": {"echo": {"exec": ["sh", "-c", "echo 2"]}}}"#, in: scratch, on: loop)
            #expect(await other.handler(for: "echo")?.run(leasedJob("1")).resultText == "2")
            #expect(other.handler(for: "sleep") != nil)
        }
    }

    // MARK: Settings of a handler

    @Test func `relative paths start at the directory of the file`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            await scratch.writeProgram("script.sh", "#!/bin/sh\npwd\n", on: loop)
            let table = try load(
                #"""
                {"handlers": {
                    "here": {"exec": ["./script.sh"]},
                    "argument": {"exec": ["sh", "script.sh"]},
                    "there": {"exec": ["./script.sh"], "working_directory": "/usr"},
                    "above": {"exec": ["./script.sh"], "working_directory": ".."}
                }}
                """#, in: scratch, on: loop)
            for (type, directory) in [
                ("here", scratch.path), ("argument", scratch.path), ("there", "/usr"), ("above", "/tmp"),
            ] {
                let handler = try #require(table.handler(for: type))
                #expect(await handler.run(leasedJob()).resultText == "\"\(directory)\"")
            }
        }
    }

    @Test func `the settings of a handler are those of its command`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let table = try load(
                #"""
                {"handlers": {"a": {"timeout_seconds": 1.5, "kill_grace_seconds": 0, "exec": ["env", "-i", "true"],
                 "environment": {"A": "1", "b_2": ""}}}}
                """#, in: scratch, on: loop)
            let handler = try #require(table.handler(for: "a") as? ExecHandler)
            #expect(handler.command.timeout == .milliseconds(1_500))
            #expect(handler.command.killGrace == .zero)
            #expect(handler.command.environment == ["A": "1", "b_2": ""])
            #expect(handler.command.arguments == ["env", "-i", "true"])
            #expect(FilePath.isExecutable(handler.command.executable))
            #expect(handler.command.executable.hasSuffix("/env"))
        }
    }

    // MARK: Errors

    @Test(arguments: [
        ("", "1:1: unexpected end of input: expected a value"),
        ("{\"handlers\": {\n  \"a\": {\"exec\": [\"sh\"],}}}", "2:24: expected a member name after ',', found '}'"),
        ("[]", "1:1: expected an object, found an array"),
        ("{}", "1:1: the member \"handlers\" is missing"),
        (#"{"handlers": {}, "more": 1}"#, #"1:18: "more" is not a known member; known are handlers"#),
        (#"{"handlers": 3}"#, "1:14: expected an object, found a number"),
        (#"{"handlers": {"a": "sh"}}"#, "1:20: expected an object, found a string"),
        (#"{"handlers": {"a": {}}}"#, #"1:20: a handler must have either "exec" or "http""#),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "http": "x"}}}"#,
            #"1:20: a handler must have either "exec" or "http""#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"]}, "a": {"exec": ["sh"]}}}"#,
            #"1:38: "a" is a duplicate: the name already has a handler"#
        ),
        (#"{"handlers": {"a": {"exec": "sh"}}}"#, "1:29: expected an array, found a string"),
        (
            #"{"handlers": {"a": {"exec": []}}}"#,
            #"1:29: must be a program and its arguments, such as ["python3", "send.py"]"#
        ),
        (#"{"handlers": {"a": {"exec": [""]}}}"#, "1:30: the name of the program is empty"),
        (#"{"handlers": {"a": {"exec": ["sh", 3]}}}"#, "1:36: expected a string, found a number"),
        (#"{"handlers": {"a": {"exec": ["sh", "a\u0000b"]}}}"#, "1:36: must not contain a NUL character"),
        (
            #"{"handlers": {"a": {"exec": ["no-such-program"]}}}"#,
            #"1:30: program "no-such-program" was not found in "#
                + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ),
        (#"{"handlers": {"a": {"exec": ["/no/such"]}}}"#, "1:30: program /no/such was not found"),
        (#"{"handlers": {"a": {"exec": ["/usr"]}}}"#, "1:30: program /usr is not a regular file"),
        (
            #"{"handlers": {"a": {"exec": ["/etc/passwd"]}}}"#,
            "1:30: program /etc/passwd is not executable by the user of the worker"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "timeout": 1}}}"#,
            #"1:37: "timeout" is not a known member; known are exec, timeout_seconds, kill_grace_seconds, "#
                + "environment, working_directory, user, takeover"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "timeout_seconds": "1"}}}"#,
            "1:56: expected a number, found a string"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "timeout_seconds": 0}}}"#,
            "1:56: must be a number of seconds from 0.001 to 2592000.0"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "kill_grace_seconds": -1}}}"#,
            "1:59: must be a number of seconds from 0.0 to 3600.0"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"A": 1}}}}"#,
            "1:58: expected a string, found a number"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"LD_PRELOAD": "x"}}}}"#,
            #"1:53: "LD_PRELOAD": the loader's variables (LD_*) cannot be set"#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"PATH": "x"}}}}"#,
            #"1:61: PATH must be absolute directories, separated by colons"#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"JOBQUEUE_TYPE": "x"}}}}"#,
            #"1:53: "JOBQUEUE_TYPE": the worker sets JOBQUEUE_* and TRACEPARENT itself"#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"A=B": "x"}}}}"#,
            #"1:53: "A=B" is not a variable name: must be letters, digits and _, without a digit first"#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "environment": {"A": "x", "A": "y"}}}}"#,
            #"1:63: "A" is a duplicate member"#
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "working_directory": "/etc/passwd"}}}"#,
            "1:58: /etc/passwd is not a directory"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "user": "no-such-user"}}}"#,
            "1:45: there is no user no-such-user on this machine"
        ),
        (
            #"{"handlers": {"a": {"exec": ["sh"], "takeover": "never"}}}"#,
            "1:49: must be one of heartbeat, lease"
        ),
        (#"{"handlers": {"a": {"http": 1}}}"#, "1:29: expected a string, found a number"),
        (
            #"{"handlers": {"a": {"http": "https://example.com/", "environment": {}}}}"#,
            #"1:53: "environment" is not a known member; known are http, timeout_seconds, secret_file, secret_env, "#
                + "takeover"
        ),
        (
            #"{"handlers": {"a": {"http": "http://example.com/"}}}"#,
            "1:29: plain http is allowed only to hosts and addresses in WEBHOOK_ALLOW"
        ),
        (
            #"{"handlers": {"a": {"http": "https://169.254.169.254/"}}}"#,
            "1:29: 169.254.169.254 is not a public address, and WEBHOOK_ALLOW does not list it"
        ),
        (
            #"{"handlers": {"a": {"http": "https://[::1]/"}}}"#,
            "1:29: ::1 is not a public address, and WEBHOOK_ALLOW does not list it"
        ),
        (
            #"{"handlers": {"a": {"http": "https://example.com/", "secret_env": "NONE"}}}"#,
            #"1:67: the environment of the worker has no variable "NONE", or it is empty"#
        ),
        (
            #"{"handlers": {"a": {"http": "https://example.com/", "secret_env": "SHORT"}}}"#,
            "1:67: the secret in SHORT is too short: must be at least 32 characters"
        ),
        (
            #"{"handlers": {"a": {"http": "https://example.com/", "secret_file": "no"}}}"#,
            #"1:68: "\#(ScratchDirectory.placeholder)/no": No such file or directory"#
        ),
        (
            #"{"handlers": {"a": {"http": "https://a.b/", "secret_env": "SIGNING", "secret_file": "/proc/version"}}}"#,
            #"1:20: a handler must not have both "secret_file" and "secret_env""#
        ),
    ])
    func `an error has a line and a column`(text: String, problem: String) async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let expected = problem.replacing(ScratchDirectory.placeholder, with: scratch.path)
            #expect(try problems(text, in: scratch, on: loop) == ["handlers.json:\(expected)"])
        }
    }

    @Test(arguments: [
        "", "/path", "example.com", "ftp://example.com/", "https://", "https:///path", "https://user@example.com/",
        "https://user:word@example.com/", "https://example.com/#part", "https://example.com:0/",
        "https://example.com:65536/", "https://example.com/a b", "https://exa\u{301}mple.com/",
        "https://example.com/%zz",
    ])
    func `a value that is not an http or https URL is an error`(url: String) async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let found = try problems(#"{"handlers": {"a": {"http": "\#(url)"}}}"#, in: scratch, on: loop)
            let rule = "must be an http or https URL without user name, password and fragment"
            #expect(found == ["handlers.json:1:29: \(rule)"])
        }
    }

    @Test func `the settings of a webhook are those of its handler`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            try scratch.write("secret", "a secret from a file, 32 characters\n")
            let table = try load(
                #"""
                {"handlers": {
                    "file": {"http": "https://example.com:8443/a?b", "secret_file": "secret", "timeout_seconds": 2},
                    "variable": {"http": "https://example.com", "secret_env": "SIGNING"},
                    "unsigned": {"http": "http://10.1.2.3/"}
                }}
                """#, in: scratch, allow: ["10.0.0.0/8"], on: loop)
            let file = try #require(table.handler(for: "file") as? WebhookHandler)
            #expect("\(file.uri)" == "https://example.com:8443/a?b")
            #expect(file.secret == Array("a secret from a file, 32 characters".utf8))
            #expect(file.timeout == .seconds(2))
            let variable = try #require(table.handler(for: "variable") as? WebhookHandler)
            #expect(variable.secret == Array("a secret from the environment, 40 letters".utf8))
            #expect(variable.client === file.client)
            let unsigned = try #require(table.handler(for: "unsigned") as? WebhookHandler)
            #expect(unsigned.secret == nil && unsigned.timeout == nil)
        }
    }

    @Test(arguments: ["a*b", "*a", "a b", "", "é", "a**", String(repeating: "x", count: 129)])
    func `a name that is not a job type is an error`(name: String) async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let found = try problems(#"{"handlers": {"\#(name)": {"exec": ["true"]}}}"#, in: scratch, on: loop)
            let rule = "must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -, but not . or .., with * only at the end"
            #expect(found == ["handlers.json:1:15: \"\(name)\" is not a job type: \(rule)"])
        }
    }

    @Test func `all errors are reported at once, in the order of the file`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            let found = try problems(
                """
                {"handlers": {
                  "a b": {"exec": [], "x": 1},
                  "c": {"exec": ["sh"], "timeout_seconds": null,
                        "environment": {"LD_A": "", "é": ""}}}}
                """, in: scratch, on: loop)
            #expect(
                found.map { $0.split(separator: " ")[0] } == [
                    "handlers.json:2:3:", "handlers.json:2:19:", "handlers.json:2:23:", "handlers.json:3:44:",
                    "handlers.json:4:25:", "handlers.json:4:37:",
                ])
        }
    }

    @Test func `a file that cannot be read is an error with the reason`() async throws {
        try await onLoop { loop in
            let scratch = try ScratchDirectory()
            for (path, reason) in [
                ("\(scratch.path)/none.json", "No such file or directory"),
                (scratch.path, "is a directory; a regular file is needed"),
                ("/dev/zero", "is a character device; a regular file is needed"),
            ] {
                let error = #expect(throws: HandlersFileError.self) {
                    try HandlersFile.load(path: path, for: HandlerDependencies(loop: loop))
                }
                #expect(error?.description == "\(path): \(reason)")
            }
            let long = try scratch.write("long.json", String(repeating: " ", count: HandlersFile.bytesMax + 1))
            let error = #expect(throws: HandlersFileError.self) {
                try HandlersFile.load(path: long, for: HandlerDependencies(loop: loop))
            }
            #expect(error?.description == "\(long): is larger than 1048576 bytes")
        }
    }
}
