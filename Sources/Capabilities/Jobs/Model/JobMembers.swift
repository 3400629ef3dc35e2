internal import Postgres

/// The members of a job that may be large. A list leaves them out unless they are asked for.
public struct JobMembers: OptionSet, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let payload = JobMembers(rawValue: 1)
    public static let result = JobMembers(rawValue: 2)
    public static let teardown = JobMembers(rawValue: 4)
    public static let lastError = JobMembers(rawValue: 8)
    public static let all: JobMembers = [.payload, .result, .teardown, .lastError]

    /// By their names in the JSON form of a job.
    public static let byName: [(name: String, member: JobMembers)] = [
        ("payload", .payload), ("result", .result), ("teardown", .teardown), ("last_error", .lastError),
    ]

    /// In SQL.
    var bit: SQLFragment {
        switch self {
        case .payload: "1"
        case .result: "2"
        case .teardown: "4"
        default: "8"
        }
    }
}
