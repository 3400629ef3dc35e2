internal import EventLoop
internal import Jobs

/// The program of an `exec` handler, with its settings in the handlers file. A job adds its payload and the variables
/// that identify it; a workload of a pool adds its variables. Neither can change the program's path or its arguments,
/// and no shell is involved.
struct ExecCommand: Hashable, Sendable {
    /// The search path of programs and the child's `PATH`, unless the handler's environment has another one. It is not
    /// that of the worker's environment, so that the same handlers file selects the same `python3` everywhere.
    static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The absolute path of the program.
    var executable: String
    /// The arguments; the first one is the program's name as written in the handlers file.
    var arguments: [String]
    /// The variables of the handler; none of them is reserved (`reservedVariable`).
    var environment: [String: String] = [:]
    /// The child's `HOME`, unless its environment has another one: that of the worker, or `/`.
    var home = "/"
    /// The user that the program runs as; nil: that of the worker.
    var user: SystemUser?
    /// The absolute path of the working directory.
    var workingDirectory: String
    /// Deadline of one attempt; nil: only the deadline of the job applies.
    var timeout: Duration?
    /// Time between SIGTERM and SIGKILL.
    var killGrace = ExecLimits.killGraceStandard
    var drainAfterExit = ExecLimits.drainAfterExit

    /// The reason why the environment of a handler must not contain this variable; nil: it may.
    ///
    /// `LD_*` makes the loader run other code than the program's.
    static func reservedVariable(_ name: String) -> String? {
        let bytes = name.utf8
        if bytes.starts(with: "LD_".utf8) { return "the loader's variables (LD_*) cannot be set" }
        if bytes.starts(with: "JOBQUEUE_".utf8) || bytes.elementsEqual("TRACEPARENT".utf8) {
            return "the worker sets JOBQUEUE_* and TRACEPARENT itself"
        }
        return nil
    }

    /// The process to start, with the variables of a job or workload.
    func processSpec(_ variables: [String: String]) -> ProcessSpec {
        let standard = ["PATH": Self.searchPath, "HOME": user?.home ?? home, "LANG": "C.UTF-8"]
        let environment = standard.merging(environment) { $1 }.merging(variables) { $1 }
        var spec = ProcessSpec(
            executable: executable, arguments: arguments, environment: environment, workingDirectory: workingDirectory)
        spec.user = user
        return spec
    }
}

extension LeasedJob {
    /// The environment variables that describe the job to a program.
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
