internal import EventLoop
internal import JSON
internal import Jobs

/// The exit and the outputs of a program, and the result of the attempt that follows from them. `docs/handlers.md`,
/// "Programs", has the rules.
struct ExecOutcome {
    var exit: ProcessExit
    /// The last non-blank line of standard output.
    var lastLine: BoundedOutput
    /// The output to descriptor 3 after the progress reports.
    var result: BoundedOutput
    /// The end of standard error.
    var errors: OutputTail
    /// The handler's `timeout_seconds` if it stopped the program, otherwise nil.
    var timedOutAfter: Duration?

    /// Exit codes with a special meaning.
    private enum Code {
        /// `EX_DATAERR` of sysexits.h.
        static let dataError: Int32 = 65
        static let snooze: Int32 = 79
    }

    var attemptResult: AttemptResult {
        switch exit {
        case .code(0): success
        case .code(Code.dataError): .failed(error: error)
        case .code(Code.snooze): snooze
        case .code, .signal: .retry(error: error, afterSeconds: nil)
        }
    }

    /// The text of a failure, such as `exit code 1: Traceback ...`.
    var error: String {
        var text = errors.text
        text = text.isEmpty ? "\(exit)" : "\(exit): \(text)"
        guard let timedOutAfter else { return text }
        return "exceeded the handler's timeout of \(timedOutAfter): \(text)"
    }

    private var success: AttemptResult {
        let source = isEmpty(result) ? lastLine : result
        let name = isEmpty(result) ? "the last line of standard output" : "descriptor 3"
        guard !source.isTooLong else {
            return .failed(error: "\(name) is longer than \(JobLimits.resultBytesMax) bytes")
        }
        return StoredResult.success(from: source.bytes, named: name)
    }

    private var snooze: AttemptResult {
        if !result.isTooLong, let value = try? JSONValue(parsing: result.bytes), let seconds = value["snooze"]?.double,
            seconds >= 0, seconds <= ExecLimits.snoozeSecondsMax
        {
            return .snoozed(seconds: seconds)
        }
        let secondsMax = Int(ExecLimits.snoozeSecondsMax)
        return .retry(
            error: "exit code 79 without {\"snooze\": n} on descriptor 3, with n from 0 to \(secondsMax)",
            afterSeconds: nil)
    }

    private func isEmpty(_ output: BoundedOutput) -> Bool {
        !output.isTooLong && output.bytes.allSatisfy(\.isJSONWhiteSpace)
    }
}
