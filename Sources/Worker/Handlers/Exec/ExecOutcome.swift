internal import EventLoop
internal import JSON
internal import Jobs

/// What a program has left behind, and what that means for the attempt. The rules of `docs/handlers.md`, "Programs".
struct ExecOutcome {
    var exit: ProcessExit
    /// Of standard output.
    var lastLine: BoundedOutput
    /// Of descriptor 3.
    var result: BoundedOutput
    /// Of standard error.
    var errors: OutputTail
    /// The handler's own `timeout_seconds`, when it has passed.
    var timedOutAfter: Duration?

    /// Exit codes with a meaning of their own; the first two are those of sysexits.h.
    private enum Code {
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

    /// `exit code 1: Traceback ...`
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
        let most = Int(ExecLimits.snoozeSecondsMax)
        return .retry(
            error: "exit code 79 without {\"snooze\": seconds} on descriptor 3, from 0 to \(most)", afterSeconds: nil)
    }

    private func isEmpty(_ output: BoundedOutput) -> Bool {
        !output.isTooLong && output.bytes.allSatisfy(\.isJSONWhiteSpace)
    }
}
