internal import Configuration
internal import Service

/// `jobqueue-worker`: leases jobs, runs their handlers, and records the results.
@main struct Main: Program {
    static let grammar = CommandGrammar(
        program: "jobqueue-worker", summary: "runs the jobs of jobqueue",
        commands: [HealthCommand.grammar(source: "from the file that WORKER_STATUS_FILE names")])
    static let prefixes = ["WORKER_", "POOL_", "JOBQUEUE_"]
    static let component = "worker"
    static let startsChildren = true
    static let takesHangUp = true

    static func settings(
        reading reader: inout SettingsReader, for command: CommandLineArguments.Command?, _ start: ProcessStart
    ) -> WorkerSettings {
        WorkerSettings(reading: &reader, environment: start.environment, on: start.loop)
    }

    static func health(
        reading reader: inout SettingsReader, _ command: CommandLineArguments.Command, _ start: ProcessStart
    ) -> ProcessPlan {
        HealthCommand(reading: &reader, "WORKER_STATUS_FILE", command).plan
    }

    static func plan(_ settings: WorkerSettings, _ command: CommandLineArguments.Command?) -> ProcessPlan {
        .serve(settings.log, announcement: "working", drain: WorkerProcess.drain(settings)) { process in
            let worker = WorkerProcess(settings, in: process)
            process.onHangUp { worker.reloadHandlers() }
            return worker.services
        }
    }
}
