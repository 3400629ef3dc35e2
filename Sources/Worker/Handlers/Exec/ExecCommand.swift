internal import EventLoop
internal import Jobs

/// What an `exec` handler starts, with all that its file says about it. A job adds its payload and the variables that
/// tell which job it is; nothing of it reaches the program's path, its arguments, or a shell.
struct ExecCommand: Hashable, Sendable {
    /// Where programs are looked for, and the child's `PATH`: fixed, so that neither the worker's own environment nor
    /// a handlers file decides what `python3` is.
    static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The program's file, absolute.
    var executable: String
    /// The arguments, the program's name as it was written first.
    var arguments: [String]
    /// What the handler names; `reservedVariable` holds for none of them.
    var environment: [String: String] = [:]
    /// Absolute.
    var workingDirectory: String
    /// nil: only the job's own deadline counts.
    var timeout: Duration?
    var killGrace = ExecLimits.killGraceStandard
    var drainAfterExit = ExecLimits.drainAfterExit

    /// Why the environment of a handler may not have this variable; nil when it may.
    ///
    /// `LD_*` makes the loader run other code than the program's, and `PATH` makes the program run others.
    static func reservedVariable(_ name: String) -> String? {
        let bytes = name.utf8
        if bytes.starts(with: "LD_".utf8) { return "the loader's variables (LD_*) cannot be set" }
        if bytes.elementsEqual("PATH".utf8) { return "PATH is always \(searchPath)" }
        if bytes.starts(with: "JOBQUEUE_".utf8) || bytes.elementsEqual("TRACEPARENT".utf8) {
            return "the worker sets JOBQUEUE_* and TRACEPARENT itself"
        }
        return nil
    }

    func processSpec(for job: LeasedJob) -> ProcessSpec {
        var environment = environment
        environment["PATH"] = ExecCommand.searchPath
        environment["JOBQUEUE_JOB_ID"] = "\(job.id)"
        environment["JOBQUEUE_TYPE"] = job.type
        environment["JOBQUEUE_QUEUE"] = job.queue
        environment["JOBQUEUE_ATTEMPT"] = "\(job.attempt)"
        environment["JOBQUEUE_MAX_ATTEMPTS"] = "\(job.maxAttempts)"
        environment["JOBQUEUE_LEASE_TOKEN"] = "\(job.token)"
        environment["TRACEPARENT"] = job.traceParent
        return ProcessSpec(
            executable: executable, arguments: arguments, environment: environment, workingDirectory: workingDirectory)
    }
}
