import Testing

@testable import Configuration

private enum Level: String, CaseIterable {
    case low = "LOW"
    case high = "HIGH"
}

struct SettingsReaderTests {
    private let directory = TemporaryDirectory()

    private func reader(_ values: [String: String]) -> SettingsReader {
        SettingsReader(environment: ProcessEnvironment(values))
    }

    @Test func `a variable that is not set has its default, and an empty value counts as not set`() throws {
        var settings = reader(["PORT": "", "NAME": "", "FLAG": "", "LIST": "", "LEVEL_FILE": ""])
        #expect(settings.integer("PORT", default: 8000, in: 1...65535, help: "h") == 8000)
        #expect(settings.string("NAME", default: "x", help: "h") == "x")
        #expect(settings.boolean("FLAG", default: true, help: "h") == true)
        #expect(settings.list("LIST", help: "h") == [])
        #expect(settings.enumeration("LEVEL", default: Level.low, help: "h") == .low)
        #expect(
            settings.seconds("WAIT_SECONDS", default: .milliseconds(1_500), in: .zero ... .seconds(9), help: "h")
                == .milliseconds(1_500))
        #expect(settings.bytes("SIZE", default: 1 << 20, in: 1...(1 << 30), help: "h") == 1 << 20)
        #expect(settings.optionalString("OTHER", help: "h") == nil)
        #expect(settings.optionalSeconds("MAYBE_SECONDS", in: .zero ... .seconds(9), help: "h") == nil)
        #expect(settings.optionalSecret("KEY", charactersMin: 4, help: "h") == nil)
        try settings.finish()
    }

    @Test func `each type parses its values`() throws {
        let file = directory.write("x", to: "file")
        var settings = reader([
            "PORT": "-7", "NAME": " as it is ", "LIST": " a, b c ,,\td ", "LEVEL": "high", "WAIT_SECONDS": "0.25",
            "SIZE": "2MiB", "KEY": "s3cret", "FILE": file, "DIRECTORY": directory.path,
        ])
        #expect(settings.integer("PORT", default: 0, in: -10...10, help: "h") == -7)
        #expect(settings.requiredString("NAME", help: "h") == " as it is ")
        #expect(settings.list("LIST", help: "h") == ["a", "b c", "d"])
        #expect(settings.enumeration("LEVEL", default: Level.low, help: "h") == .high)
        #expect(settings.optionalSeconds("WAIT_SECONDS", in: .zero ... .seconds(9), help: "h") == .milliseconds(250))
        #expect(settings.bytes("SIZE", default: 1, in: 1...(1 << 30), help: "h") == 2 << 20)
        #expect(settings.secret("KEY", charactersMin: 6, help: "h").revealed == "s3cret")
        #expect(settings.optionalFile("FILE", help: "h") == file)
        #expect(settings.directory("DIRECTORY", default: "/", help: "h") == directory.path)
        try settings.finish()
    }

    @Test(arguments: [
        ("true", true), ("TRUE", true), ("1", true), ("Yes", true), ("on", true), ("false", false), ("0", false),
        ("no", false), ("OFF", false),
    ])
    func `a boolean has several notations`(text: String, value: Bool) throws {
        var settings = reader(["FLAG": text])
        #expect(settings.boolean("FLAG", default: !value, help: "h") == value)
        try settings.finish()
    }

    @Test func `all problems are reported at once, with the accepted values`() {
        var settings = reader([
            "PORT": "80a", "BIG": "70000", "FLAG": "maybe", "LEVEL": "middle", "WAIT_SECONDS": "-1", "SIZE": "1MB",
            "LIST": "ok,b@d", "KEY": "short", "BLANK": "with a blank", "FILE": "/nonexistent", "FOLDER": "/dev/null",
            "NAME": "x\u{1b}[2J",
        ])
        #expect(settings.integer("PORT", default: 1, in: 1...65535, help: "h") == 1)
        _ = settings.integer("BIG", default: 1, in: 1...65535, help: "h")
        _ = settings.boolean("FLAG", default: false, help: "h")
        _ = settings.enumeration("LEVEL", default: Level.low, help: "h")
        _ = settings.seconds("WAIT_SECONDS", default: .seconds(1), in: .zero ... .milliseconds(9_500), help: "h")
        _ = settings.bytes("SIZE", default: 1, in: 1...1_024, help: "h")
        _ = settings.list("LIST", help: "h", accepts: "words", whereEach: { $0 == "ok" })
        _ = settings.secret("KEY", charactersMin: 32, help: "h")
        _ = settings.secret("BLANK", charactersMin: 4, help: "h")
        _ = settings.optionalFile("FILE", help: "h")
        _ = settings.directory("FOLDER", default: ".", help: "h")
        _ = settings.string("NAME", default: "", help: "h", accepts: "a word", where: { $0 == "word" })
        _ = settings.requiredString("MISSING", help: "h", accepts: "a name")
        settings.require(1 > 2, of: "A_SECONDS", "B_SECONDS", otherwise: "A_SECONDS must exceed B_SECONDS")
        let failure = #expect(throws: ConfigurationFailure.self) { try settings.finish() }
        #expect(
            failure?.description == #"""
                the configuration is not valid:
                  PORT: "80a" is not an integer (accepted: an integer from 1 to 65535)
                  BIG: "70000" is out of range (accepted: an integer from 1 to 65535)
                  FLAG: "maybe" is not a boolean (accepted: true or false (also 1/0, yes/no, on/off))
                  LEVEL: "middle" is not a known value (accepted: one of LOW, HIGH)
                  WAIT_SECONDS: "-1" is not a number of seconds (accepted: seconds from 0 to 9.5)
                  SIZE: "1MB" is not a number of bytes (accepted: bytes from 1 to 1KiB, also as KiB, MiB or GiB)
                  LIST: "ok,b@d" contains the element "b@d", which is not accepted (accepted: words)
                  KEY: has only 5 characters (accepted: 32 or more visible ASCII characters)
                  BLANK: contains a blank, control or non-ASCII character (accepted: 4 or more visible ASCII characters)
                  FILE: "/nonexistent" cannot be used: No such file or directory (accepted: the path of a readable file)
                  FOLDER: "/dev/null" cannot be used: is not a directory (accepted: the path of a readable directory)
                  NAME: "x\u{1B}[2J" is not accepted (accepted: a word)
                  MISSING: is not set (accepted: a name)
                  A_SECONDS, B_SECONDS: A_SECONDS must exceed B_SECONDS

                """#)
    }

    @Test(arguments: ["+5", " 5", "5 ", "0x5", "5.0", "٥", "", "-", "--5", "5_000", "99999999999999999999"])
    func `a text that only resembles an integer is rejected`(text: String) {
        #expect(SettingText.integer(text) == nil)
    }

    @Test(arguments: ["1.", ".5", "1.0000001", "1e3", "+1", "-0", "1,5", "inf", "nan", "1.-5", "10000000000000"])
    func `a text that only resembles seconds is rejected`(text: String) {
        #expect(SettingText.seconds(text) == nil)
    }

    @Test(arguments: ["-1", "1KB", "1 MiB", "MiB", "9999999999GiB", "1.5GiB", "1mib"])
    func `a text that only resembles a number of bytes is rejected`(text: String) {
        #expect(SettingText.bytes(text) == nil)
    }

    @Test func `formatted numbers can be parsed`() {
        for count in [0, 1, 1_023, 1_024, 1 << 20, 3 << 30, (1 << 20) + 1] {
            #expect(SettingText.bytes(SettingText.bytes(count)) == count)
        }
        for microseconds in [0, 1, 250_000, 1_000_000, 90_000_001] {
            let duration = Duration.microseconds(microseconds)
            #expect(SettingText.seconds(SettingText.seconds(duration)) == duration)
        }
        #expect(SettingText.bytes("4Ki") == 4_096)
    }

    @Test func `a value may be in a file, without one newline at its end`() throws {
        for (content, value) in [("8080", "8080"), ("8080\n", "8080"), ("8080\r\n", "8080"), ("a\n\n", "a\n")] {
            var settings = reader(["NAME_FILE": directory.write(content, to: "value"), "NAME": ""])
            #expect(settings.requiredString("NAME", help: "h") == value)
            try settings.finish()
        }
    }

    @Test func `a file without a valid value is an error that does not show a secret`() {
        let empty = directory.write("\n", to: "empty")
        let binary = directory.write([0xff, 0xfe], to: "binary")
        let key = directory.write("canary\n", to: "key")
        let port = directory.write("80a\n", to: "port")
        let large = directory.write(String(repeating: "x", count: 70_000), to: "large")
        var settings = reader([
            "A_FILE": empty, "B_FILE": binary, "C_FILE": "/nonexistent", "KEY_FILE": key, "D_FILE": port, "D": "80",
            "PORT_FILE": port, "LARGE_FILE": large,
        ])
        for name in ["A", "B", "C", "D", "LARGE"] { _ = settings.requiredString(name, help: "h") }
        _ = settings.secret("KEY", charactersMin: 32, help: "h")
        _ = settings.integer("PORT", default: 1, in: 1...9, help: "h")
        let file = "(accepted: a readable file)"
        #expect(
            settings.problems.map(\.description) == [
                #"A_FILE: "\#(empty)": is empty \#(file)"#,
                #"B_FILE: "\#(binary)": is not UTF-8 \#(file)"#,
                #"C_FILE: "/nonexistent": No such file or directory \#(file)"#,
                #"D, D_FILE: both are set (accepted: one of them)"#,
                #"LARGE_FILE: "\#(large)": is larger than 65536 bytes \#(file)"#,
                #"KEY_FILE ("\#(key)"): has only 6 characters (accepted: 32 or more visible ASCII characters)"#,
                #"PORT_FILE ("\#(port)"): "80a" is not an integer (accepted: an integer from 1 to 9)"#,
            ])
        #expect(!settings.problems.contains { $0.description.contains("canary") })
    }

    @Test func `an address that Kubernetes sets for a Service is recognised`() {
        var settings = reader(["API_PORT": "tcp://10.0.0.1:8000"])
        _ = settings.integer("API_PORT", default: 8000, in: 1...65535, help: "h")
        #expect(settings.problems.first?.problem.contains("enableServiceLinks: false") == true)
    }

    @Test func `a secret is never shown`() {
        let secret = Secret("canary")
        var dumped = ""
        dump([secret], to: &dumped)
        let seen = ["\(secret)", String(reflecting: secret), dumped, "\([secret])", "\(Optional(secret) as Any)"]
        #expect(!seen.contains { $0.contains("canary") })
        #expect(secret.revealed == "canary")
    }

    @Test func `declaring a variable twice traps`() async {
        await #expect(processExitsWith: .failure) {
            var settings = SettingsReader(environment: ProcessEnvironment([:]))
            _ = settings.optionalString("A", help: "h")
            _ = settings.optionalString("A", help: "h")
        }
    }
}

struct ProcessEnvironmentTests {
    @Test func `a block of variables is parsed like in getenv`() {
        let block = Array("A=1\0B=x=y\0A=2\0EMPTY=\0NOEQUALS\0=odd\0".utf8) + [0x43, 0x3d, 0xff, 0x00]
        let environment = ProcessEnvironment(parsing: block)
        #expect(environment.values == ["A": "1", "B": "x=y", "EMPTY": ""])
        var settings = SettingsReader(environment: environment)
        _ = settings.optionalString("C", help: "h")
        #expect(settings.problems.map(\.description) == ["C: is not UTF-8 (accepted: text)"])
    }

    @Test func `this process has an environment`() throws {
        #expect(try ProcessEnvironment.current().values["PATH"]?.isEmpty == false)
    }
}

struct UnknownVariablesTests {
    @Test func `a misspelt variable is reported with the nearest known name`() {
        var settings = SettingsReader(
            environment: ProcessEnvironment([
                "API_PROT": "1", "API_SECRET_KEY_FIEL": "/x", "API_SOMETHING_ELSE": "1", "API_PORT": "8000",
                "OTHER_PORT": "1", "API_HOST_FILE": "",
            ]))
        _ = settings.integer("API_PORT", default: 1, in: 1...9_999, help: "h")
        _ = settings.optionalSecret("API_SECRET_KEY", charactersMin: 1, help: "h")
        _ = settings.optionalString("API_HOST", help: "h")
        #expect(
            settings.unknownVariables(prefixes: ["API_", "JOBQUEUE_"]) == [
                #""API_PROT" is not a known variable; did you mean API_PORT?"#,
                #""API_SECRET_KEY_FIEL" is not a known variable; did you mean API_SECRET_KEY_FILE?"#,
                #""API_SOMETHING_ELSE" is not a known variable"#,
            ])
    }

    @Test func `variables that Kubernetes sets for a Service are not reported`() {
        let links = [
            "JOBQUEUE_API_SERVICE_HOST": "10.0.0.1", "JOBQUEUE_API_SERVICE_PORT": "8000",
            "JOBQUEUE_API_SERVICE_PORT_HTTP": "8000", "JOBQUEUE_API_PORT": "tcp://10.0.0.1:8000",
            "JOBQUEUE_API_PORT_8000_TCP": "tcp://10.0.0.1:8000", "JOBQUEUE_API_PORT_8000_TCP_PROTO": "tcp",
            "JOBQUEUE_API_PORT_8000_TCP_PORT": "8000", "JOBQUEUE_API_PORT_8000_TCP_ADDR": "10.0.0.1",
        ]
        let settings = SettingsReader(environment: ProcessEnvironment(links))
        #expect(settings.unknownVariables(prefixes: ["JOBQUEUE_"]) == [])
    }
}
