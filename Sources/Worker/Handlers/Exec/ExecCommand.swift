internal import EventLoop
internal import Jobs

/// What an `exec` handler starts, with all that its file says about it. A job adds its payload and the variables that
/// tell which job it is, and so does a workload of a pool; nothing of it reaches the program's path, its arguments, or a
/// shell.
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

    /// With the variables of what it is started for.
    func processSpec(_ variables: [String: String]) -> ProcessSpec {
        var environment = environment.merging(variables) { $1 }
        environment["PATH"] = ExecCommand.searchPath
        return ProcessSpec(
            executable: executable, arguments: arguments, environment: environment, workingDirectory: workingDirectory)
    }
}

extension LeasedJob {
    /// What tells a program which job it has.
    var variables: [String: String] {
        var variables = [
            "JOBQUEUE_JOB_ID": "\(id)", "JOBQUEUE_TYPE": type, "JOBQUEUE_QUEUE": queue,
            "JOBQUEUE_ATTEMPT": "\(attempt)", "JOBQUEUE_MAX_ATTEMPTS": "\(maxAttempts)",
            "JOBQUEUE_LEASE_TOKEN": "\(token)",
        ]
        variables["TRACEPARENT"] = traceParent
        return variables
    }
}
