internal import HTTP
internal import JSON
internal import Jobs
internal import Pauses
internal import Telemetry
internal import Values

/// What `POST /api/worker/pause` and `/resume`, and those of a queue, are told.
struct PauseInput: Sendable {
    /// For how long a call may wait for the workers to obey.
    static let waitSecondsMax = 60

    var scope: PauseScope?
    var reason = ""
    var updatedBy = ""
    var expectedVersion: Int64?
    var resumeAt: WallInstant?
    var cancelsRunning = false
    var waitSeconds = 0

    /// Notes in `errors` what is wrong.
    static func read(
        _ reader: inout JSONReader, isPause: Bool, takesScope: Bool, into errors: inout InputErrors
    ) throws(JSONError) -> PauseInput {
        var input = PauseInput()
        var names: Set<String> = []
        let isObject = try errors.readObject(&reader, at: .root) { reader, key, errors throws(JSONError) in
            names.insert(key.text)
            let place = JSONPointer.root.appending(key.text)
            switch key {
            case "reason":
                input.reason = try errors.line(&reader, at: place, bytesMax: JobLimits.reasonBytesMax) ?? ""
            case "updated_by":
                input.updatedBy = try errors.line(&reader, at: place, bytesMax: JobLimits.actorBytesMax) ?? ""
            case "expected_version":
                input.expectedVersion = try errors.integer(&reader, at: place, in: 0...Int64.max)
            case "wait_seconds":
                input.waitSeconds = try errors.integer(&reader, at: place, in: 0...waitSecondsMax) ?? 0
            case "scope" where takesScope:
                input.scope = try scope(&reader, at: place, into: &errors)
            case "resume_at" where isPause:
                input.resumeAt = try errors.instant(&reader, at: place)
            case "cancel_running" where isPause:
                input.cancelsRunning = try errors.bool(&reader, at: place) ?? false
            default:
                return false
            }
            return true
        }
        for name in ["reason", "updated_by"] where isObject && !names.contains(name) {
            errors.add(.root.appending(name), "is required")
        }
        return input
    }

    private static func scope(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> PauseScope? {
        guard let text = try errors.string(&reader, at: pointer) else { return nil }
        switch PauseScope(text) {
        case .all: return .all
        case .queue(let name) where JobLimits.isName(name): return .queue(name)
        case .type(let name) where JobLimits.isName(name): return .type(name)
        default:
            errors.add(pointer, "must be all, queue:NAME or type:NAME")
            return nil
        }
    }
}
