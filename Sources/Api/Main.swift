internal import Configuration
internal import Service

/// `jobqueue-api`: serves HTTP; its commands migrate the schema, and read and change pauses without an api.
@main struct Main: Program {
    static let grammar = ApiCommandLine.grammar
    static let prefixes = ApiCommandLine.prefixes
    static let component = "api"
    static let awaitingCommands: Set<String> = ["migrate"]

    static func settings(
        reading reader: inout SettingsReader, for command: CommandLineArguments.Command?, _ start: ProcessStart
    ) -> ApiSettings {
        ApiSettings(reading: &reader, command: command)
    }

    static func health(
        reading reader: inout SettingsReader, _ command: CommandLineArguments.Command, _ start: ProcessStart
    ) -> ProcessPlan {
        ProbeCommand(reading: &reader, start.environment, command).plan
    }

    static func plan(
        _ settings: ApiSettings, _ command: CommandLineArguments.Command?
    ) throws(UsageError) -> ProcessPlan {
        switch command {
        case nil:
            .serve(settings.log, announcement: "serving", drain: ApiProcess.drain(settings.serving)) { process in
                try ApiProcess(settings, in: process).services
            }
        case let command? where command.name == "audit": try AuditCommand(settings, command).plan
        case let command? where command.name == ControlCommand.grammar.name:
            try ControlCommand(settings, command).plan
        case let command?: try MigrateCommand(settings, command).plan
        }
    }
}
