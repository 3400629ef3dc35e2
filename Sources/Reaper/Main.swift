internal import Configuration
internal import Service

/// `jobqueue-reaper`: reclaims expired leases, promotes due jobs, and runs periodic maintenance.
@main struct Main: Program {
    static let grammar = CommandGrammar(
        program: "jobqueue-reaper",
        summary: "reclaims expired leases, promotes due jobs and removes old ones",
        commands: [
            CommandGrammar.Command(
                "once", summary: "Run every task once; exit 0 when all succeeded, 1 when one failed."),
            WatchdogCommand.grammar,
            HealthCommand.grammar(source: "from the file that REAPER_STATUS_FILE names"),
        ])
    static let prefixes = ReaperSettings.prefixes
    static let component = "reaper"
    static let awaitingCommands: Set<String> = ["once", "watchdog"]

    static func settings(
        reading reader: inout SettingsReader, for command: CommandLineArguments.Command?, _ start: ProcessStart
    ) -> ReaperSettings {
        ReaperSettings(reading: &reader)
    }

    static func health(
        reading reader: inout SettingsReader, _ command: CommandLineArguments.Command, _ start: ProcessStart
    ) -> ProcessPlan {
        HealthCommand(reading: &reader, "REAPER_STATUS_FILE", command).plan
    }

    static func plan(
        _ settings: ReaperSettings, _ command: CommandLineArguments.Command?
    ) throws(UsageError) -> ProcessPlan {
        guard let command else {
            return .serve(settings.log, announcement: "reaping", drain: ReaperProcess.drain) { process in
                ReaperProcess(settings, in: process).services
            }
        }
        if command.name == WatchdogCommand.name {
            let watchdog = try WatchdogCommand(command, settings)
            return .once(settings.log, drain: ReaperProcess.drain) { process in
                ReaperProcess(settings, in: process).services(for: watchdog)
            }
        }
        return .once(settings.log, drain: ReaperProcess.drain) { process in
            ReaperProcess(settings, in: process).servicesForOneRun
        }
    }
}
