import Testing

@testable import Configuration

struct ShellAssignmentsTests {
    private func parse(_ text: String) throws -> [String: String] {
        try ShellAssignments(parsing: Array(text.utf8), path: "/vault/secrets/db").values
    }

    @Test func `a file rendered by a Vault agent is parsed`() throws {
        let text = """
            # rendered by vault

            export PGUSER="v-app-x1"
            export PGPASSWORD='p$a`s"s\\w'   # a comment
            PGHOST=db.example
            \texport  PGPORT=5432 PGDATABASE="jobs"
            """
        #expect(
            try parse(text) == [
                "PGUSER": "v-app-x1", "PGPASSWORD": #"p$a`s"s\w"#, "PGHOST": "db.example", "PGPORT": "5432",
                "PGDATABASE": "jobs",
            ])
    }

    @Test(arguments: [
        ("A=", ""), ("A=''", ""), ("A=\"\"", ""), ("A=a\"b c\"'d e'f", "ab cd ef"), (##"A=a\ b\#\\"##, #"a b#\"#),
        (#"A="\"\\\$\`\n\a""#, ##""\$`\n\a"##), ("A='a\nb'", "a\nb"), ("A=\"a\nb\"", "a\nb"), ("A=\"a\\\nb\"", "ab"),
        ("A=a\\\nb", "ab"), ("A=a#b", "a#b"), ("A=$HOME`x`", "$HOME`x`"), ("A=\"${B}$(c)\"", "${B}$(c)"),
        ("A=1\nA=2", "2"), ("A=x\r\n", "x"), ("A=\"é\"", "é"), ("export=5 A=1", "1"), ("A==", "="),
    ])
    func `quoting is that of a shell, without expansion`(text: String, value: String) throws {
        #expect(try parse(text)["A"] == value)
    }

    @Test(arguments: [
        ("export A", 1, "is not an assignment such as export NAME=\"value\""),
        ("\n\n1A=5", 3, "is not an assignment such as export NAME=\"value\""),
        ("A =5", 1, "is not an assignment such as export NAME=\"value\""),
        ("A=1\nset -a", 2, "is not an assignment such as export NAME=\"value\""),
        ("A=1\nB='x\ny", 2, "opens a single quote that is never closed"),
        ("A='\n\n'\nB=\"x", 4, "opens a double quote that is never closed"),
        ("A=\"x\\", 1, "opens a double quote that is never closed"),
        ("A=x\\", 1, "ends with a backslash"), ("A=1; B=2", 1, "has ; outside of quotes"),
        ("A=$(pwd)", 1, "has ( outside of quotes"), ("A=x\0", 1, "has a value that is not UTF-8 text"),
    ])
    func `an error names the file and line, and never a value`(text: String, line: Int, problem: String) {
        #expect(throws: ShellAssignmentsError(path: "/vault/secrets/db", line: line, problem: problem)) {
            try parse(text)
        }
    }

    @Test func `an error reads as a sentence`() {
        let error = ShellAssignmentsError(path: "/vault/secrets/db", line: 3, problem: "ends with a backslash")
        #expect(error.description == #""/vault/secrets/db", line 3: ends with a backslash"#)
    }

    @Test func `a value that is not UTF-8 is rejected`() {
        #expect(throws: ShellAssignmentsError.self) {
            try ShellAssignments(parsing: [0x41, 0x3d, 0xff], path: "f")
        }
    }
}
