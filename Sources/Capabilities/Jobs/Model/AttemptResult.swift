/// How one attempt ended, as its handler reports it.
public enum AttemptResult: Hashable, Sendable {
    /// Succeeded; with the JSON text of its result, if it has one, of at most `JobLimits.resultBytesMax`.
    case succeeded(result: [UInt8]?)
    /// Failed, and may be tried again: after the given seconds, or by the job's backoff when nil.
    case retry(error: String, afterSeconds: Double?)
    /// Failed, and must not be tried again.
    case failed(error: String)
    /// Asks to run again after this number of seconds. Spends no attempt.
    case snoozed(seconds: Double)
    /// Stopped because the worker stops. Spends no attempt, and may run elsewhere at once.
    case released

    /// The length of the result or the error.
    public var byteCount: Int {
        switch self {
        case .succeeded(let result): result?.count ?? 0
        case .retry(let error, _), .failed(let error): error.utf8.count
        case .snoozed, .released: 0
        }
    }
}
