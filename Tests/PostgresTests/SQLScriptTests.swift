import Testing

@testable import Postgres

@Suite struct SQLScriptTests {
    @Test(arguments: [
        ("", []), (" ; ; ", []), ("SELECT 1", ["SELECT 1"]), ("SELECT 1;SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; SELECT '''';", ["SELECT ';'", "SELECT ''''"]),
        (#"SELECT '\'; SELECT E'\';'; SELECT 2"#, [#"SELECT '\'"#, #"SELECT E'\';'"#, "SELECT 2"]),
        (#"SELECT 1 AS "a;b"; SELECT 2"#, [#"SELECT 1 AS "a;b""#, "SELECT 2"]),
        ("DO $$ BEGIN; END $$; SELECT 1", ["DO $$ BEGIN; END $$", "SELECT 1"]),
        ("DO $a$ ; $$ ; $b$ ; $a$; SELECT 1", ["DO $a$ ; $$ ; $b$ ; $a$", "SELECT 1"]),
        ("PREPARE a AS SELECT $1; SELECT $2", ["PREPARE a AS SELECT $1", "SELECT $2"]),
        ("SELECT a$b$c; SELECT 2", ["SELECT a$b$c", "SELECT 2"]),
        ("-- one;\nSELECT 1 -- two;\n; /* ; /* ; */ ; */ SELECT 2", ["SELECT 1 -- two;", "SELECT 2"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
            ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"]
        ),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; END; SELECT 1",
            [
                "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; END",
                "SELECT 1",
            ]
        ),
        ("SELECT CASE WHEN true THEN 1 END; SELECT 2", ["SELECT CASE WHEN true THEN 1 END", "SELECT 2"]),
    ])
    func `a script is split into its statements`(script: String, statements: [String]) {
        #expect(SQLScript.statements(of: script).map(\.text) == statements)
    }

    @Test func `each statement has its line`() {
        let script = "-- head\n\nCREATE TABLE a (\n  b int\n);\n/* x\n*/ SELECT '\n';\nSELECT $$\n\n$$; SELECT 4"
        #expect(SQLScript.statements(of: script).map(\.line) == [3, 7, 9, 11])
    }

    @Test(arguments: [
        ("0001_queues.sql", 1), ("0042_a-b_C9.sql", 42), ("1_a.sql", nil), ("0000_a.sql", nil), ("00011_a.sql", nil),
        ("0001_.sql", nil), ("0001-a.sql", nil), ("000a_b.sql", nil), ("0001_a b.sql", nil),
    ])
    func `a file's name gives its version`(name: String, version: Int32?) {
        #expect(MigrationFile.parse(name)?.version == version)
    }

    @Test(arguments: [
        ("-- no-transaction\nSELECT 1", false), ("--  no-transaction \nSELECT 1", false),
        ("SELECT 1\n-- no-transaction", true), ("-- no-transactions\n", true), ("", true),
    ])
    func `the first line determines whether the file is a transaction`(sql: String, isTransactional: Bool) {
        #expect(MigrationFile(version: 1, name: "a", sql: sql).isTransactional == isTransactional)
    }
}
