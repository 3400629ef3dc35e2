import Configuration
import Pauses
import Testing

@testable import Api

@Suite struct OptionReaderTests {
    private func read(_ action: PauseChange.Action, _ options: String...) throws -> PauseChange {
        let arguments = try CommandLineArguments(
            parsing: ["control", action.rawValue] + options, ApiCommandLine.grammar)
        var reader = OptionReader(try #require(arguments.command))
        var change = PauseChange(reading: action)
        reader.read(PauseChange.fields(of: action)) { reader, field in change.read(field, from: &reader) }
        try reader.finish()
        return change
    }

    @Test func `options are read as the fields of a request`() throws {
        let change = try read(
            .pause, "--scope=queue:q", "--reason", "r", "--updated-by=ada", "--wait-seconds=60", "--expected-version=0",
            "--cancel-running")
        #expect(change.scope == .queue("q") && change.reason == "r" && change.updatedBy == "ada")
        #expect(change.waitSeconds == 60 && change.expectedVersion == 0 && change.cancelsRunning)
    }

    @Test func `options have the rules of the body, and all errors are reported with their options`() throws {
        let error = #expect(throws: UsageError.self) {
            try read(
                .resume, "--scope=queue:a b", "--reason=a\nb", "--wait-seconds=61", "--expected-version=x",
                "--cancel-running")
        }
        #expect(
            error?.description.split(separator: "; ") == [
                "--scope must be all, queue:NAME or type:NAME",
                "--reason must be 1 to 1000 bytes without control characters",
                "--updated-by is required",
                "--expected-version must be an integer from 0 to 9223372036854775807",
                "--wait-seconds must be an integer from 0 to 60",
                "--cancel-running is accepted for a pause only",
            ])
    }
}
